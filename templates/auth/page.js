// What the pages of an account share: their language, the token of the link, and sending a form.

const russian = navigator.language.toLowerCase().startsWith("ru");
const WAIT = ["Too many attempts. Wait a while.", "Слишком много попыток. Подождите немного."];
const COMMON_TEXTS = {
  invalid_token: [
    "This link does not work any more: it was used, has expired, or a newer one was mailed.",
    "Эта ссылка больше не действует: она использована, устарела или заменена новой.",
  ],
  too_many_failures: WAIT,
  too_many_requests: WAIT,
  rate_limited: WAIT,
  failed: ["That did not work. Try again in a moment.", "Не получилось. Попробуйте ещё раз чуть позже."],
};
// After these the form is of no use; after the second kind a new link is.
const ENDS = ["done", "email_already_confirmed"];
const DEAD_LINK = "invalid_token";
// Password managers want to know whose password it is; the page that asked for the link knows.
const EMAIL_NAME = "plaza.email";

export const token = new URLSearchParams(location.search).get("token") ?? "";

if (russian) {
  document.documentElement.lang = "ru";
  for (const element of document.querySelectorAll("[data-ru]")) element.textContent = element.dataset.ru;
  document.title = `${document.querySelector("h1").textContent} · Plaza`;
}

for (const field of document.querySelectorAll("[name=username]")) {
  field.value = localStorage.getItem(EMAIL_NAME) ?? "";
}

// Sends JSON to the API: "done" or the code of the problem, and what is wrong with which value.
export async function post(path, body) {
  try {
    const response = await fetch(new URL(`../api/v1${path}`, import.meta.url), {
      method: "POST",
      headers: { "Content-Type": "application/json", "Accept-Language": document.documentElement.lang },
      body: JSON.stringify(body),
    });
    if (!response.ok) {
      const { code, errors } = await response.json();
      return { state: code, reasons: errors?.map((error) => error.msg) };
    }
    if (body.email) localStorage.setItem(EMAIL_NAME, body.email);
    if (body.token) localStorage.removeItem(EMAIL_NAME);
    return { state: "done" };
  } catch {
    return { state: "failed" };
  }
}

// Shows what became of it, and what can be done next instead of a form that is of no use.
export function show(form, { state, reasons }, texts) {
  const result = document.querySelector("#result");
  const known = { ...COMMON_TEXTS, ...texts };
  const text = (known[state] ?? known.failed)[russian ? 1 : 0];
  result.textContent = state === "validation_error" && reasons?.length ? reasons.join(". ") : text;
  result.dataset.state = ENDS.includes(state) ? "done" : "failed";
  form.hidden = ENDS.includes(state) || state === DEAD_LINK;
  document.querySelector("#next").hidden = state !== DEAD_LINK;
}

// Calls `send` when the form is submitted and shows the outcome that it returns, if any.
export function onSubmit(form, send, texts) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    const outcome = await send();
    button.disabled = false;
    if (outcome) show(form, outcome, texts);
  });
}
