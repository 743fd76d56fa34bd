"use strict";
(() => {
  const by = id => document.getElementById(id);
  const data = id => by(id) ? JSON.parse(by(id).textContent) : [];
  const maps = data("maps"), controls = by("controls");
  if (!controls) return;
  const [colours, gain, reverse] = ["colours", "gain", "reverse"].map(by);
  const draw = () => {
    const map = maps.find(m => m.name === colours.value);
    const slope = 10 ** (gain.value / 20) * (reverse.checked ? -1 : 1);
    "RGB".split("").forEach((c, i) => {
      const of = id => document.querySelector(`#${id} feFunc${c}`);
      of("gains").setAttribute("slope", slope);
      of("gains").setAttribute("intercept", .5 - slope / 2);
      of("table").setAttribute("tableValues", map.stops.map(s => (s[i] / 255).toFixed(4)).join(" "));
    });
    by("decibels").value = `${gain.value} dB`;
  };
  const asked = new URLSearchParams(location.hash.slice(1));
  if (maps.some(m => m.name === asked.get("colours"))) colours.value = asked.get("colours");
  if (asked.get("gain")) gain.value = asked.get("gain");
  reverse.checked = asked.get("reverse") === "1";
  controls.hidden = false;
  controls.oninput = () => {
    draw();
    history.replaceState(null, "", `#colours=${colours.value}&gain=${gain.value}&reverse=${+reverse.checked}`);
  };
  controls.onsubmit = event => event.preventDefault();
  draw();
  for (const view of data("views")) {
    const image = by(view.id), out = document.querySelector(`[data-of="${view.id}"]`);
    const n = view.traces ? view.traces.length : view.told[0].values.length, [name, first, last] = view.down;
    image.onmousemove = event => {
      const box = image.getBoundingClientRect(), share = (a, b, c) => Math.min(Math.max((a - b) / c, 0), 1);
      const i = Math.min(n - 1, Math.floor(share(event.clientX, box.left, box.width) * n));
      const j = Math.min(view.samples - 1, Math.floor(share(event.clientY, box.top, box.height) * view.samples));
      const at = first + (last - first) * j / Math.max(1, view.samples - 1);
      const told = view.told.map(t => `${t.name.replaceAll("_", " ")} ${t.values[i]}`);
      if (view.traces) told.unshift(`trace ${view.traces[i].toLocaleString("en")}`);
      out.value = [...told, `${+at.toFixed(3)} ${name}`].join(" · ");
    };
    image.onmouseleave = () => out.value = "";
  }
})();
