// What the pages of an account share: their words, the token of the link, and sending a form.

export const words = JSON.parse(document.querySelector("#words").textContent);
export const token = new URLSearchParams(location.search).get("token") ?? "";

const WAITS = ["too_many_failures", "too_many_requests", "rate_limited"];
// What is said beside the field.
const OF_THE_FIELD = ["validation_error", "confirmation_proof_required"];
// After these the form is of no use; after the second kind a new link is.
const ENDS = ["done", "email_already_confirmed"];
const DEAD_LINK = "invalid_token";
// Password managers want to know whose password it is; the page that asked for the link knows.
const EMAIL_NAME = "plaza.email";

for (const field of document.querySelectorAll("[name=username]")) {
  field.value = localStorage.getItem(EMAIL_NAME) ?? "";
}

for (const button of document.querySelectorAll(".show")) {
  const field = button.parentElement.querySelector("input");
  const reveal = (shown) => {
    field.type = shown ? "text" : "password";
    button.textContent = shown ? words.form.hide : words.form.show;
  };
  button.addEventListener("click", () => reveal(field.type === "password"));
  field.form.addEventListener("submit", () => reveal(false)); // else browsers may remember it
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
      if (errors?.some((error) => error.loc.at(-1) === "token")) return { state: DEAD_LINK };
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
  const text = reasons?.join(". ") || texts[state] || words.form[WAITS.includes(state) ? "wait" : state];
  const field = form.querySelector("[aria-describedby]");
  const result = document.querySelector("#result");
  const [there, empty] = OF_THE_FIELD.includes(state)
    ? [form.querySelector(".error"), result]
    : [result, form.querySelector(".error")];
  there.textContent = text || words.form.failed;
  empty.textContent = "";
  field.ariaInvalid = there !== result;
  result.dataset.state = ENDS.includes(state) ? "done" : "failed";
  form.hidden = ENDS.includes(state) || state === DEAD_LINK;
  document.querySelector("#next").hidden = state !== DEAD_LINK;
  if (there !== result) field.focus();
  else if (form.hidden) result.focus(); // what had it is gone
}

// Calls `send` when the form is submitted and shows the outcome that it returns, if any.
export function onSubmit(form, send, texts) {
  const button = form.querySelector("[type=submit]");
  const label = button.textContent;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.ariaDisabled === "true") return;
    button.ariaDisabled = true; // `disabled` would take the focus
    button.textContent = words.form.sending;
    const outcome = await send();
    button.ariaDisabled = false;
    button.textContent = label;
    if (outcome) show(form, outcome, texts);
  });
}
