import { onSubmit, post, show, token, words } from "./page.js";

const form = document.querySelector("form");

if (token) form.hidden = false;
else show(form, { state: "invalid_token" }, words.page); // the link was cut short
onSubmit(form, () => post("/auth/password/reset", { token, new_password: form.password.value }), words.page);
