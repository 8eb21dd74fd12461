import { onSubmit, post, show, token } from "./page.js";

const TEXTS = {
  done: ["Your new password is set. Sign in with it.", "Новый пароль сохранён. Войдите с ним."],
  validation_error: ["Choose another password.", "Придумайте другой пароль."],
};

const form = document.querySelector("form");

if (!token) show(form, { state: "invalid_token" }); // the link was cut short
onSubmit(form, () => post("/auth/password/reset", { token, new_password: form.password.value }), TEXTS);
