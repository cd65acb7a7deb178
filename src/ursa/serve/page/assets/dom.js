// Elements. What visitors and bundles named is only ever set as text, so none of it can become markup.

export const byId = (id) => document.getElementById(id);

/* make("p", { className: "note", hidden: true }, "text", element) */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

/* A name that somebody gave, in a direction of its own: it cannot turn the words around it. */
export const named = (text) => make("bdi", {}, text);

const SHAPES = {
  alert: "M12 8v5M12 16.5v.01M10.3 4.2 2.9 17a2 2 0 0 0 1.7 3h14.8a2 2 0 0 0 1.7-3L13.7 4.2a2 2 0 0 0-3.4 0z",
  picture: "M4 5h16v14H4zM4 16l5-4 3 2.5 3-2 5 4",
  question: "M9 9.2a3 3 0 1 1 4.4 2.7c-.9.5-1.4 1-1.4 2.1M12 17.2v.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const looks = { viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "1.6", "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" };
  for (const [key, value] of Object.entries(looks)) svg.setAttribute(key, value);
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", SHAPES[name]);
  svg.append(shape);
  return svg;
}
