// Linked zoom: every lens of the page shows the same part of its image.
const groups = [...document.querySelectorAll(".linked")].map((element) => {
  const lenses = [...element.querySelectorAll(".lens")];
  const images = lenses.map((lens) => lens.querySelector("img"));
  return { element, lenses, images, own: images.map((image) => image.src) };
});
const view = { zoom: 1, x: 0.5, y: 0.5 }; // the centre of the view, as a share of the image
const most = 32;

function draw() {
  const reach = 0.5 / view.zoom;
  view.x = Math.min(1 - reach, Math.max(reach, view.x));
  view.y = Math.min(1 - reach, Math.max(reach, view.y));
  const left = 100 * (reach - view.x);
  const top = 100 * (reach - view.y);
  for (const { element, lenses, images } of groups) {
    lenses.forEach((lens, i) => {
      const image = images[i];
      image.style.transform = view.zoom === 1 ? "" : `scale(${view.zoom}) translate(${left}%, ${top}%)`;
      // From two screen pixels an image pixel on, show the pixels themselves.
      image.classList.toggle("sharp", (lens.clientWidth * view.zoom) / image.naturalWidth >= 2);
      lens.classList.toggle("zoomed", view.zoom > 1);
    });
    element.querySelector("input").value = Math.log2(view.zoom);
    element.querySelector("output").textContent = `${Number(view.zoom.toPrecision(2))}×`;
  }
}

// Zoom so that the point under (x, y), shares of the lens, stays where it is.
function zoomTo(zoom, x = 0.5, y = 0.5) {
  const next = Math.min(most, Math.max(1, zoom));
  view.x += (x - 0.5) * (1 / view.zoom - 1 / next);
  view.y += (y - 0.5) * (1 / view.zoom - 1 / next);
  view.zoom = next;
  draw();
}

function pan(x, y) {
  view.x += x / view.zoom;
  view.y += y / view.zoom;
  draw();
}

// Show the first image of a group in every place, or each its own again.
function flip({ element, images, own }) {
  const button = element.querySelector('[data-do="flip"]');
  if (!button) return;
  const pressed = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(pressed));
  images.forEach((image, i) => {
    image.src = pressed ? own[0] : own[i];
  });
}

function listen(lens, keys) {
  const share = (event) => {
    const box = lens.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  lens.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const action = keys[event.key];
    // At full view the arrows scroll the page, as everywhere.
    if (!action || (event.key.startsWith("Arrow") && view.zoom === 1)) return;
    event.preventDefault();
    action();
  });
  lens.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoomTo(view.zoom * 2 ** (-event.deltaY / 200), ...share(event));
  }, { passive: false });
  lens.addEventListener("dblclick", (event) => zoomTo(view.zoom * 2, ...share(event)));
  lens.addEventListener("pointerdown", (event) => {
    if (event.button === 0 && view.zoom > 1) lens.setPointerCapture(event.pointerId);
  });
  lens.addEventListener("pointermove", (event) => {
    if (!lens.hasPointerCapture(event.pointerId)) return;
    pan(-event.movementX / lens.clientWidth, -event.movementY / lens.clientHeight);
  });
}

for (const group of groups) {
  const actions = {
    in: () => zoomTo(view.zoom * 1.5),
    out: () => zoomTo(view.zoom / 1.5),
    reset: () => zoomTo(1),
    flip: () => flip(group),
  };
  for (const button of group.element.querySelectorAll("[data-do]")) {
    button.addEventListener("click", actions[button.dataset.do]);
  }
  const slider = group.element.querySelector("input");
  slider.addEventListener("input", () => zoomTo(2 ** Number(slider.value)));
  const keys = {
    "+": actions.in, "=": actions.in, "-": actions.out, 0: actions.reset, f: actions.flip, F: actions.flip,
    ArrowLeft: () => pan(-0.1, 0), ArrowRight: () => pan(0.1, 0),
    ArrowUp: () => pan(0, -0.1), ArrowDown: () => pan(0, 0.1),
  };
  group.lenses.forEach((lens) => listen(lens, keys));
}
addEventListener("resize", draw);
draw();
