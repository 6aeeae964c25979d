"""What a script in the page measures: contrast, sizes of controls, names, headings, and sideways scrolling."""

# Text that is seen, with its contrast against what lies behind it (WCAG 2.2, 1.4.3), and controls with their size.
CHECK_PAGE = """
() => {
  const channels = (text) => {
    const parts = text.match(/[\\d.]+/g).map(Number);
    const scale = text.startsWith("color(") ? 255 : 1;
    return [parts[0] * scale, parts[1] * scale, parts[2] * scale, parts.length > 3 ? parts[3] : 1];
  };
  const light = ([r, g, b]) => {
    const linear = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = channels(getComputedStyle(one).backgroundColor);
      if (color[3] > 0.99) return color;
    }
    return [255, 255, 255, 1];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const box = element.getBoundingClientRect();
    const unseen = element.closest(".unseen, .skip, [hidden], :disabled, option, label:has(:disabled)");
    if (!walker.currentNode.data.trim() || unseen || !box.width || !box.height) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(channels(style.color)), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (large ? 3 : 4.5)) faint.push([walker.currentNode.data.trim().slice(0, 30), contrast.toFixed(2)]);
  }
  const small = [];
  for (const one of document.querySelectorAll("button, input:not([type=hidden]), select, textarea, a.button, nav a")) {
    const shown = one.closest("label.choice, label.tick, label.really") || one;
    const box = shown.getBoundingClientRect();
    const seen = box.width && box.height && !one.closest(".skip") && !one.hidden;
    if (seen && (box.height < 43.5 || box.width < 24)) small.push([one.outerHTML.slice(0, 60), box.width, box.height]);
  }
  const unnamed = [...document.querySelectorAll("input:not([type=hidden]):not([hidden]), select, textarea")]
    .filter((one) => !one.labels.length && !one.ariaLabel)
    .map((one) => one.outerHTML);
  const nameless = [...document.querySelectorAll("a, button")]
    .filter((one) => !one.textContent.trim() && !one.ariaLabel)
    .map((one) => one.outerHTML);
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  return {
    faint,
    small,
    unnamed,
    nameless,
    twice: ids.filter((id, place) => ids.indexOf(id) !== place),
    wider: document.documentElement.scrollWidth - innerWidth,
    headings: document.querySelectorAll("h1").length,
    blind: [...document.images].filter((one) => !one.hasAttribute("alt")).length,
    language: document.documentElement.lang,
  };
}
"""
