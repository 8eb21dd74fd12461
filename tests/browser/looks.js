// What is hard to read on this page: text, placeholders and edges of fields, by their computed colours
// (WCAG 2.2, 1.4.3 and 1.4.11). All of it stands on plain grounds.
const channels = (color) => color.match(/[\d.]+/g).map(Number);
const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const light = (color) => {
  const [red, green, blue] = channels(color).map((channel) => linear(channel / 255));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const contrast = (one, other) => {
  const [darker, lighter] = [light(one), light(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
};
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = getComputedStyle(at).backgroundColor;
    if ((channels(color)[3] ?? 1) === 1) return color;
  }
  return "rgb(255, 255, 255)";
};
const faults = [];
const ask = (what, color, background, least) => {
  const found = contrast(color, background);
  if (found < least) faults.push(`${what}: ${color} on ${background} is ${found.toFixed(2)}`);
};
for (const element of document.body.querySelectorAll("*")) {
  if (!element.checkVisibility()) continue;
  const style = getComputedStyle(element);
  const text = [...element.childNodes].find((node) => node.nodeType === 3 && node.data.trim());
  const size = parseFloat(style.fontSize);
  const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
  if (text) ask(text.data.trim(), style.color, ground(element), least);
  if (element.matches("img")) ask("text of an image", style.color, ground(element), 4.5);
  if (!element.matches("input:not(.unseen)")) continue;
  ask(`text of ${element.name}`, style.color, ground(element), 4.5);
  ask(`placeholder of ${element.name}`, getComputedStyle(element, "::placeholder").color, ground(element), 4.5);
  ask(`edge of ${element.name}`, style.borderTopColor, ground(element.parentElement), 3);
}
return faults;
