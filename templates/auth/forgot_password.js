import { onSubmit, post, words } from "./page.js";

const form = document.querySelector("form");

form.hidden = false;
onSubmit(form, () => post("/auth/password/forgot", { email: form.email.value }), words.page);
