import { form, onSubmit, post, token } from "./page.js";

// A front end on this origin may keep the secret of its registration under this name; then the
// visitor needs no password here.
const SECRET_NAME = "plaza.registration_secret";

const TEXTS = {
  done: ["Your address is confirmed. You can sign in now.", "Адрес подтверждён. Теперь можно войти."],
  confirmation_proof_required: [
    "That is not the password of your account.",
    "Это не пароль вашей учётной записи.",
  ],
};

let secret = localStorage.getItem(SECRET_NAME);

showPasswordField(!secret);

onSubmit(async () => {
  const proof = secret ? { registration_secret: secret } : { password: form.password.value };
  const state = await post("/auth/email/confirm", { token, ...proof });
  if (state === "confirmation_proof_required" && secret) {
    secret = null; // of another registration: ask for the password instead
    showPasswordField(true);
    return null;
  }
  if (state === "done" && secret) localStorage.removeItem(SECRET_NAME);
  return state;
}, TEXTS);

function showPasswordField(shown) {
  form.querySelector("p").hidden = form.querySelector("label").hidden = !shown;
  form.querySelector("input").required = shown;
}
