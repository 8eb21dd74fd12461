// Copies a command of the first steps.

for (const button of document.querySelectorAll("button")) {
  button.hidden = !navigator.clipboard; // there is none where neither https nor localhost is
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    button.textContent = button.dataset.copied;
  });
}
