"use strict";

// A front end on this origin may keep the secret of its registration under this name; then the
// visitor needs no password here.
const SECRET_NAME = "plaza.registration_secret";

const russian = navigator.language.toLowerCase().startsWith("ru");
const TEXTS = {
  confirmed: ["Your address is confirmed. You can sign in now.", "Адрес подтверждён. Теперь можно войти."],
  invalid_token: [
    "This link is not valid any more. Ask for a new one.",
    "Эта ссылка больше не действует. Запросите новую.",
  ],
  confirmation_proof_required: [
    "That is not the password you registered with.",
    "Это не тот пароль, с которым вы зарегистрировались.",
  ],
  failed: ["That did not work. Try again in a moment.", "Не получилось. Попробуйте ещё раз чуть позже."],
};

const form = document.querySelector("#confirm");
const result = document.querySelector("#result");
const token = new URLSearchParams(location.search).get("token") ?? "";
let secret = localStorage.getItem(SECRET_NAME);

if (russian) {
  document.documentElement.lang = "ru";
  for (const element of document.querySelectorAll("[data-ru]")) element.textContent = element.dataset.ru;
  document.title = document.querySelector("h1").textContent;
}
showPasswordField(!secret);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  const state = await confirmAddress();
  button.disabled = false;
  if (state === "confirmed") {
    localStorage.removeItem(SECRET_NAME);
    form.hidden = true;
  } else if (state === "confirmation_proof_required" && secret) {
    secret = null; // of another registration: ask for the password instead
    showPasswordField(true);
    return;
  }
  result.dataset.state = state === "confirmed" ? "confirmed" : "failed";
  result.textContent = (TEXTS[state] ?? TEXTS.failed)[russian ? 1 : 0];
});

function showPasswordField(shown) {
  form.querySelector("p").hidden = form.querySelector("label").hidden = !shown;
  form.querySelector("input").required = shown;
}

async function confirmAddress() {
  const proof = secret ? { registration_secret: secret } : { password: form.password.value };
  try {
    const response = await fetch("/api/v1/auth/email/confirm", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, ...proof }),
    });
    return response.ok ? "confirmed" : (await response.json()).code;
  } catch {
    return "failed";
  }
}
