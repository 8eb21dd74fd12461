import { onSubmit, post, token, words } from "./page.js";

// A front end on this origin may keep the secret of its registration under this name; then the
// visitor needs no password here.
const SECRET_NAME = "plaza.registration_secret";

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
    confirm.password.focus();
    return null;
  }
  if (outcome.state === "done" && secret) localStorage.removeItem(SECRET_NAME);
  return outcome;
}, words.page.confirm);

onSubmit(resend, () => post("/auth/email/resend", { email: resend.email.value }), words.page.resend);

function showPasswordField(shown) {
  confirm.querySelector("p").hidden = confirm.querySelector(".field").hidden = !shown;
}
