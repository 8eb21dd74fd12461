import { onSubmit, post } from "./page.js";

const TEXTS = {
  done: [
    "If this address has an account, the mail is on its way.",
    "Если с этим адресом есть учётная запись, письмо уже в пути.",
  ],
  validation_error: ["That is not an e-mail address.", "Это не адрес электронной почты."],
};

const form = document.querySelector("form");

onSubmit(form, () => post("/auth/password/forgot", { email: form.email.value }), TEXTS);
