// What the pages of an account share: their language, the token of the link, and sending a form.

const russian = navigator.language.toLowerCase().startsWith("ru");
const COMMON_TEXTS = {
  invalid_token: [
    "This link is not valid any more. Ask for a new one.",
    "Эта ссылка больше не действует. Запросите новую.",
  ],
  too_many_failures: ["Too many attempts. Wait a while.", "Слишком много попыток. Подождите немного."],
  rate_limited: ["Too many requests. Wait a while.", "Слишком много запросов. Подождите немного."],
  too_many_requests: ["Too many requests. Wait a while.", "Слишком много запросов. Подождите немного."],
  failed: ["That did not work. Try again in a moment.", "Не получилось. Попробуйте ещё раз чуть позже."],
};

export const form = document.querySelector("form");
export const token = new URLSearchParams(location.search).get("token") ?? "";

if (russian) {
  document.documentElement.lang = "ru";
  for (const element of document.querySelectorAll("[data-ru]")) element.textContent = element.dataset.ru;
  document.title = document.querySelector("h1").textContent;
}

// Sends JSON to the API; "done", or the code of the problem. A link that was cut short has no token.
export async function post(path, body) {
  if (body.token === "") return "invalid_token";
  try {
    const response = await fetch(new URL(`../api/v1${path}`, import.meta.url), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    return response.ok ? "done" : (await response.json()).code;
  } catch {
    return "failed";
  }
}

// Calls `send` when the form is submitted and shows the text of the state that it returns, if any.
export function onSubmit(send, texts) {
  const result = document.querySelector("#result");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    const state = await send();
    button.disabled = false;
    if (!state) return;
    form.hidden = state === "done";
    result.dataset.state = state === "done" ? "done" : "failed";
    const known = { ...COMMON_TEXTS, ...texts };
    result.textContent = (known[state] ?? known.failed)[russian ? 1 : 0];
  });
}
