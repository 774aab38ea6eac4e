"use strict";
const find = id => document.getElementById(id);
const slider = find("epoch"), play = find("play"), theme = find("theme");
const root = document.documentElement;
const values = JSON.parse(find("frames").textContent);
const last = Number(slider.max);

// What moves: an element, the name of an attribute or "text", and its value in each frame.
const moves = [...document.querySelectorAll("[data-moves]")].flatMap(element =>
  element.dataset.moves.split(" ").map(move => {
    const [name, slot] = move.split(":");
    return [element, name, values[slot]];
  }));

function show(frame) {
  slider.value = frame;
  for (const [element, name, value] of moves) {
    if (name === "text") element.textContent = value[frame];
    else element.setAttribute(name, value[frame]);
  }
}

let timer = null;
function stop() {
  clearInterval(timer);
  timer = null;
  play.textContent = "play";
}
function start() {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (Number(slider.value) === last) show(0);
  play.textContent = "pause";
  timer = setInterval(() => {
    show(Math.min(Number(slider.value) + 1, last));
    if (Number(slider.value) === last) stop();
  }, calm ? 1000 : 120);
}

slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
play.addEventListener("click", () => timer === null ? start() : stop());
document.addEventListener("keydown", event => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const busy = event.target.closest("#epoch, .paper, .wide") || event.altKey || event.ctrlKey ||
    event.metaKey || event.shiftKey;
  if (!step || busy) return;
  event.preventDefault();
  stop();
  show(Math.min(Math.max(Number(slider.value) + step, 0), last));
});

// On paper there is one frame: the last.
let before = last;
addEventListener("beforeprint", () => { stop(); before = Number(slider.value); show(last); });
addEventListener("afterprint", () => show(before));

const dark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
function nameTheme() { theme.textContent = isDark() ? "light" : "dark"; }
theme.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  nameTheme();
});
dark.addEventListener("change", nameTheme);

const zoom = find("zoom");
if (zoom) {
  const picture = document.querySelector(".paper svg");
  const width = picture.getBoundingClientRect().width, paper = picture.parentElement;
  paper.scrollLeft = (paper.scrollWidth - paper.clientWidth) / 2;
  zoom.hidden = false;
  zoom.addEventListener("click", event => {
    const factor = Number(event.target.dataset.zoom ?? NaN);
    if (Number.isNaN(factor)) return;
    const now = picture.getBoundingClientRect().width;
    const room = paper.clientWidth - 16;
    picture.style.width = `${Math.min(Math.max(factor ? now * factor : room, 100), 8 * width)}px`;
    picture.style.height = "auto";
  });
}

find("controls").hidden = theme.hidden = false;
nameTheme();
