import { onSubmit, post, token } from "./page.js";

// A front end on this origin may keep the secret of its registration under this name; then the
// visitor needs no password here.
const SECRET_NAME = "plaza.registration_secret";

const CONFIRM_TEXTS = {
  done: ["Your address is confirmed. You can sign in now.", "Адрес подтверждён. Теперь можно войти."],
  email_already_confirmed: [
    "This address is confirmed already. You can sign in.",
    "Этот адрес уже подтверждён. Можно войти.",
  ],
  confirmation_proof_required: [
    "That is not the password of your account.",
    "Это не пароль вашей учётной записи.",
  ],
};
const RESEND_TEXTS = {
  done: [
    "If this address waits for its confirmation, the mail is on its way.",
    "Если этот адрес ждёт подтверждения, письмо уже в пути.",
  ],
  validation_error: ["That is not an e-mail address.", "Это не адрес электронной почты."],
};

const confirm = document.querySelector("#confirm");
const resend = document.querySelector("#resend");
let secret = localStorage.getItem(SECRET_NAME);

(token ? confirm : resend).hidden = false;
showPasswordField(!secret);

onSubmit(confirm, async () => {
  const proof = secret ? { registration_secret: secret } : { password: confirm.password.value };
  const outcome = await post("/auth/email/confirm", { token, ...proof });
  if (outcome.state === "confirmation_proof_required" && secret) {
    secret = null; // of another registration: ask for the password instead
    showPasswordField(true);
    return null;
  }
  if (outcome.state === "done" && secret) localStorage.removeItem(SECRET_NAME);
  return outcome;
}, CONFIRM_TEXTS);

onSubmit(resend, () => post("/auth/email/resend", { email: resend.email.value }), RESEND_TEXTS);

function showPasswordField(shown) {
  confirm.querySelector("p").hidden = confirm.querySelector("label").hidden = !shown;
  confirm.password.required = shown;
}
