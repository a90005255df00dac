// Linked zoom: every lens of a group shows the same part of its picture.
for (const group of document.querySelectorAll(".linked")) {
  const lenses = [...group.querySelectorAll(".lens")];
  const images = lenses.map((lens) => lens.querySelector("img"));
  const own = images.map((image) => image.src);
  const slider = group.querySelector("input");
  const output = group.querySelector("output");
  const flipButton = group.querySelector('[data-do="flip"]');
  const view = { zoom: 1, x: 0.5, y: 0.5 }; // the centre of the view, as a share of the picture
  const most = 32;

  function draw() {
    const reach = 0.5 / view.zoom;
    view.x = Math.min(1 - reach, Math.max(reach, view.x));
    view.y = Math.min(1 - reach, Math.max(reach, view.y));
    lenses.forEach((lens, i) => {
      const image = images[i];
      const left = 100 * (reach - view.x);
      const top = 100 * (reach - view.y);
      image.style.transform = view.zoom === 1 ? "" : `scale(${view.zoom}) translate(${left}%, ${top}%)`;
      // From two screen pixels a picture pixel on, show the pixels themselves.
      image.classList.toggle("sharp", (lens.clientWidth * view.zoom) / image.naturalWidth >= 2);
      lens.classList.toggle("zoomed", view.zoom > 1);
    });
    slider.value = Math.log2(view.zoom);
    output.textContent = `${Number(view.zoom.toPrecision(2))}×`;
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

  function flip() {
    const pressed = flipButton.getAttribute("aria-pressed") !== "true";
    flipButton.setAttribute("aria-pressed", String(pressed));
    images.forEach((image, i) => {
      image.src = pressed ? own[0] : own[i];
    });
  }

  const actions = {
    in: () => zoomTo(view.zoom * 1.5),
    out: () => zoomTo(view.zoom / 1.5),
    reset: () => zoomTo(1),
    flip,
  };
  for (const button of group.querySelectorAll("[data-do]")) {
    button.addEventListener("click", actions[button.dataset.do]);
  }
  slider.addEventListener("input", () => zoomTo(2 ** Number(slider.value)));

  const keys = {
    "+": actions.in, "=": actions.in, "-": actions.out, 0: actions.reset, f: flip, F: flip,
    ArrowLeft: () => pan(-0.1, 0), ArrowRight: () => pan(0.1, 0),
    ArrowUp: () => pan(0, -0.1), ArrowDown: () => pan(0, 0.1),
  };
  for (const lens of lenses) {
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
  addEventListener("resize", draw);
  draw();
}
