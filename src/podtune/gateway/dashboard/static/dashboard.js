// Keeps an open page true: parts come rendered from the gateway, log lines as text. Without it every page reads the same.
"use strict";

const MOST_LOG = 400000; // characters that stay on the page; the whole log is a link away

function swap({ id, digest, html }) {
  const part = document.getElementById(`part-${id}`);
  if (!part || part.dataset.digest === digest) return;
  const open = [...part.querySelectorAll("details[open]")].map((one) => one.id);
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  const scrolled = [...part.querySelectorAll(".events")].map((one) => one.scrollTop);
  part.innerHTML = html;
  part.dataset.digest = digest;
  for (const name of open) {
    const details = document.getElementById(name);
    if (details) details.open = true;
  }
  part.querySelectorAll(".events").forEach((one, n) => { one.scrollTop = scrolled[n] || 0; });
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

function append(text) {
  const log = document.getElementById("log");
  if (!log) return;
  document.getElementById("log-empty")?.remove();
  const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(text);
  log.normalize();
  const first = log.firstChild;
  if (first && first.length > MOST_LOG) first.deleteData(0, first.length - MOST_LOG);
  if (follows) log.scrollTop = log.scrollHeight;
}

function line(words, isLost) {
  const told = document.getElementById("line");
  told.hidden = !words;
  told.textContent = words;
  told.classList.toggle("lost", isLost);
}

function listen(address) {
  const source = new EventSource(address);
  source.addEventListener("open", () => line("live", false));
  source.addEventListener("error", () => line("not connected, trying again", true));
  source.addEventListener("part", (event) => swap(JSON.parse(event.data)));
  source.addEventListener("log", (event) => append(JSON.parse(event.data)));
  source.addEventListener("end", () => { source.close(); line("", false); });
  addEventListener("pagehide", () => source.close());
}

function read(figure, share) {
  const curves = JSON.parse(figure.dataset.curves);
  let best = null;
  for (const [x, , step] of curves.flatMap((curve) => curve.points)) {
    if (!best || Math.abs(x - share * 1000) < Math.abs(best.x - share * 1000)) best = { x, step };
  }
  const told = curves
    .map(({ name, points }) => [name, points.find((point) => point[2] === best.step)])
    .filter(([, point]) => point)
    .map(([name, point]) => `${name} ${point[3]}`);
  const cross = figure.querySelector(".cross");
  cross.setAttribute("x1", best.x);
  cross.setAttribute("x2", best.x);
  figure.dataset.at = best.x / 1000;
  const out = figure.querySelector(".readout");
  out.textContent = `step ${best.step.toLocaleString("en")}: ${told.join(", ")}`;
  figure.classList.add("reading");
}

document.addEventListener("pointermove", (event) => {
  const box = event.target.closest?.(".box");
  document.querySelectorAll("figure.reading").forEach((figure) => {
    if (!box || figure !== box.closest("figure")) figure.classList.remove("reading");
  });
  if (!box) return;
  const place = box.getBoundingClientRect();
  read(box.closest("figure"), (event.clientX - place.left) / place.width);
});

document.addEventListener("keydown", (event) => {
  const box = event.target.closest?.(".box");
  const move = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
  if (box && move) {
    event.preventDefault();
    const figure = box.closest("figure");
    read(figure, Math.min(1, Math.max(0, Number(figure.dataset.at || 0) + move)));
  }
  if (event.key === "Escape") {
    document.querySelectorAll("details.confirm[open]").forEach((one) => {
      one.open = false;
      one.querySelector("summary").focus();
    });
  }
});

addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

const log = document.getElementById("log");
if (log) log.scrollTop = log.scrollHeight;
if (document.body.dataset.stream) listen(document.body.dataset.stream);
