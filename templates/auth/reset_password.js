import { form, onSubmit, post, token } from "./page.js";

const TEXTS = {
  done: ["Your new password is set. Sign in with it.", "Новый пароль сохранён. Войдите с ним."],
  validation_error: [
    "That password is too weak or known from a data breach. Choose a longer and less common one.",
    "Этот пароль слишком слабый или известен из утечки. Придумайте длиннее и необычнее.",
  ],
};

onSubmit(() => post("/auth/password/reset", { token, new_password: form.password.value }), TEXTS);
