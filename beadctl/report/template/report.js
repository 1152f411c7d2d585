"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const content = (id) => JSON.parse(find(id).textContent);
  const facts = content("facts");
  const table = find("table");
  const rows = d3.selectAll("#table tbody tr");

  // Theme: that of the system until the button is pressed.
  find("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    root.dataset.theme = dark === "dark" ? "light" : "dark";
  });

  // Table: filter, sort, and thumbnails as they come into view.
  function filter() {
    const words = find("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    const state = find("state").value;
    const flag = state.startsWith("flag:") ? state.slice(5) : "";
    let count = 0;
    rows.each(function () {
      const own = this.dataset.state;
      const flags = [...this.querySelectorAll(".flag")].map((one) => one.textContent);
      const fits = flag ? flags.includes(flag) : !state || own === state || (state === "check" && own !== "ok");
      this.hidden = !(fits && words.every((word) => this.dataset.search.includes(word)));
      count += !this.hidden;
    });
    find("matching").textContent = `${count.toLocaleString("en")} of ${rows.size().toLocaleString("en")} planes`;
  }
  find("words").addEventListener("input", filter);
  find("state").addEventListener("change", filter);

  function sort(head) {
    const descending = head.getAttribute("aria-sort") === "ascending";
    const isNumber = "number" in head.dataset;
    const value = (row) => {
      const text = row.cells[head.cellIndex].dataset.value;
      return isNumber ? (text === "" ? NaN : +text) : text;
    };
    const order = descending ? d3.descending : d3.ascending;
    const names = new Intl.Collator("en", { numeric: true });
    const compared = new Map(rows.nodes().map((row) => [row, value(row)]));
    const sorted = rows.nodes().sort((one, other) => {
      const [a, b] = [compared.get(one), compared.get(other)];
      if (!isNumber) return names.compare(a, b) * (descending ? -1 : 1) || one.dataset.key - other.dataset.key;
      // What is unknown comes last in either order.
      return Number.isNaN(a) - Number.isNaN(b) || order(a, b) || one.dataset.key - other.dataset.key;
    });
    for (const one of table.tHead.rows[0].cells) if (one.hasAttribute("aria-sort")) one.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    table.tBodies[0].append(...sorted);
  }
  for (const head of table.tHead.rows[0].cells) {
    head.querySelector("button")?.addEventListener("click", () => sort(head));
  }

  const picture = (base64) => `data:image/webp;base64,${base64}`;
  function load(row) {
    const image = row.querySelector("img");
    if (!image || image.src) return;
    const { thumbnail } = content(`plane-${row.dataset.key}`);
    if (thumbnail) image.src = picture(thumbnail);
  }
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      load(target);
      seen.unobserve(target);
    }
  }, { rootMargin: "400px" });
  rows.each(function () { seen.observe(this); });
  addEventListener("beforeprint", () => {
    rows.filter(function () { return !this.hidden; }).each(function () { load(this); });
    for (const one of document.querySelectorAll("details.printed")) one.open = true;
  });

  // Plots.
  const size = { width: 420, height: 240, marginLeft: 52, marginBottom: 42, style: { fontSize: "12px", maxWidth: "100%" } };
  for (const figure of document.querySelectorAll("[data-chart]")) {
    const chart = facts.charts[figure.dataset.chart];
    figure.append(Plot.plot({
      ...size,
      ariaLabel: `${chart.title}: ${chart.remark}`,
      x: { label: chart.axis, labelAnchor: "center", labelOffset: 38 },
      y: { label: chart.what, grid: true },
      marks: [
        Plot.rectY(chart.bars, { x1: "low", x2: "high", y: "count", fill: "var(--accent)", insetLeft: 0.5, insetRight: 0.5, tip: true }),
        Plot.ruleY([0]),
      ],
    }));
  }
  for (const figure of document.querySelectorAll("[data-intervals]")) {
    const groups = facts.intervals[figure.dataset.intervals];
    const longest = d3.max(groups, ({ group }) => group.length);
    figure.append(Plot.plot({
      ...size,
      width: 640,
      height: 80 + 24 * groups.length,
      marginLeft: Math.min(240, 24 + 7 * longest),
      ariaLabel: "Mean count of each group with its interval",
      x: { label: "beads a field", labelAnchor: "center", labelOffset: 38, grid: true, zero: true },
      y: { label: null, domain: groups.map(({ group }) => group) },
      marks: [
        Plot.ruleY(groups, { y: "group", x1: "low", x2: "high", stroke: "var(--accent)", strokeWidth: 2 }),
        Plot.dot(groups, { y: "group", x: "mean", fill: "var(--accent)", r: 4, tip: true }),
      ],
    }));
  }

  // Viewer.
  const viewer = find("viewer");
  const svg = d3.select("#stage svg");
  const layer = svg.select("g");
  const drawing = d3.select("#beads");
  const ONE = "#56b4e9";
  let shown = null; // { row, plane, beads, near }

  async function inflated(base64) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  }

  const zoom = d3.zoom().scaleExtent([1, 60]).on("zoom", ({ transform }) => {
    layer.attr("transform", transform);
    scaleBar();
  });
  svg.call(zoom);

  function visible() {
    return d3.selectAll("#table tbody tr").filter(function () { return !this.hidden && this.querySelector(".thumbnail"); }).nodes();
  }

  async function look(row) {
    const plane = content(`plane-${row.dataset.key}`);
    const all = visible();
    shown = { row, plane, beads: null };
    find("viewed").textContent = row.cells[1].dataset.value;
    find("place").textContent = `${all.indexOf(row) + 1} of ${all.length}`;
    find("note").textContent = plane.note ? `Note: ${plane.note}.` : "";
    find("bead").textContent = "";
    find("figures").textContent = figures(row);
    const { width, height } = plane;
    svg.attr("viewBox", width ? `0 0 ${width} ${height}` : null);
    zoom.extent([[0, 0], [width, height]]).translateExtent([[0, 0], [width, height]]);
    layer.select("image").attr("href", plane.picture ? picture(plane.picture) : null).attr("width", width).attr("height", height);
    drawing.selectAll("path").remove();
    if (!viewer.open) viewer.showModal();
    svg.call(zoom.transform, d3.zoomIdentity);
    if (plane.beads) {
      const now = shown;
      const beads = await inflated(plane.beads);
      if (shown !== now) return;
      shown.beads = beads;
      shown.near = d3.Delaunay.from(beads.label, (_, i) => beads.x[i] / 10, (_, i) => beads.y[i] / 10);
    }
    draw();
  }

  function figures(row) {
    const heads = [...table.tHead.rows[0].cells];
    return heads.slice(2).map((head, i) => {
      const text = row.cells[i + 2].textContent.trim().replace(/\s+/g, " ");
      const name = head.querySelector("button").firstChild.textContent;
      return text && `${name} ${text} ${head.dataset.unit ?? ""}`.trim();
    }).filter(Boolean).join(" · ");
  }

  function line(beads, i) {
    const points = beads.o?.[i];
    if (points?.length) {
      let [x, y] = points;
      let path = `M${x / 2},${y / 2}`;
      for (let k = 2; k < points.length; k += 2) path += `L${(x += points[k]) / 2},${(y += points[k + 1]) / 2}`;
      return `${path}Z`;
    }
    const [x, y, r] = [beads.x[i] / 10, beads.y[i] / 10, beads.d[i] / 20];
    return `M${x - r},${y}a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0Z`;
  }

  const flagsOf = (beads, i) => facts.flags.filter((_, bit) => beads.f[i] & (1 << bit));
  // Cold to warm, each light enough to be seen on a micrograph.
  const COLOURS = ["#7fb3ff", "#5fd3f3", "#52e3a4", "#b6e84a", "#ffd23f", "#ff9440", "#ff5a5a"];

  // For each way of colouring: the class of a bead, and the classes with their colour and name.
  function classes(beads) {
    const between = (scale, shape, unit) => scale.range().map((colour) => {
      const [low, high] = scale.invertExtent(colour);
      return { colour, name: `${shape(low)} to ${shape(high)}${unit}` };
    });
    switch (find("colour").value) {
      case "confidence": {
        const scale = d3.scaleQuantize([30, 100], [...COLOURS].reverse());
        const names = between(scale, (value) => (value / 100).toFixed(1), "");
        names[0].name = `below ${(scale.invertExtent(names[0].colour)[1] / 100).toFixed(1)}`;
        return { of: (i) => (beads.c[i] === null ? "#fff" : scale(beads.c[i])), names: [...names, { colour: "#fff", name: "unknown" }] };
      }
      case "diameter": {
        const um = shown.plane.um;
        const scaled = (value) => (value / 10) * (um ?? 1);
        const values = [...beads.d].sort(d3.ascending);
        const [low, high] = [d3.quantileSorted(values, 0.02), d3.quantileSorted(values, 0.98)];
        const scale = d3.scaleQuantize([low, high > low ? high : low + 1], COLOURS);
        return { of: (i) => scale(beads.d[i]), names: between(scale, (value) => +scaled(value).toPrecision(3), um ? " µm" : " px") };
      }
      case "flag": {
        const colour = d3.scaleOrdinal(["none", ...facts.flags], [ONE, "#ffd23f", "#ff9440", "#e58cff", "#ffffff", "#ff5a5a"]);
        // The gravest flag is the last.
        const name = (i) => flagsOf(beads, i).at(-1) ?? "none";
        return { of: (i) => colour(name(i)), names: colour.domain().map((one) => ({ colour: colour(one), name: one })) };
      }
      default:
        return { of: () => ONE, names: [] };
    }
  }

  function draw() {
    const { beads } = shown;
    const wanted = beads && find("outlines").checked;
    const { of, names } = beads ? classes(beads) : { names: [] };
    // One path a colour: thousands of elements would be slow to zoom.
    const groups = wanted ? d3.groups(d3.range(beads.label.length), of) : [];
    drawing.selectAll("path").data(groups).join("path")
      .attr("stroke", ([colour]) => colour)
      .attr("d", ([, members]) => members.map((i) => line(beads, i)).join(""));
    const used = new Set(groups.map(([colour]) => colour));
    d3.select("#legend").selectAll("span").data(names.filter(({ colour }) => used.has(colour))).join("span")
      .html("<i></i><b></b>")
      .call((one) => one.select("i").style("background", (named) => named.colour))
      .call((one) => one.select("b").style("font-weight", "normal").text((named) => named.name));
  }

  function scaleBar() {
    const um = shown?.plane.um;
    const matrix = svg.node().getScreenCTM();
    const bar = find("bar");
    bar.hidden = !um || !matrix;
    if (bar.hidden) return;
    const perUm = (matrix.a * d3.zoomTransform(svg.node()).k) / um;
    const power = 10 ** Math.floor(Math.log10(120 / perUm));
    const length = d3.max([1, 2, 5].filter((step) => step * power * perUm <= 120)) * power;
    bar.style.width = `${length * perUm}px`;
    bar.firstElementChild.textContent = `${+length.toPrecision(2)} µm`;
  }
  addEventListener("resize", scaleBar);

  svg.on("pointermove", (event) => {
    const beads = shown?.beads;
    if (!beads?.label.length) return;
    const [x, y] = d3.pointer(event, layer.node());
    const i = shown.near.find(x, y);
    const inside = Math.hypot(x - beads.x[i] / 10, y - beads.y[i] / 10) <= Math.max(2, beads.d[i] / 16);
    const um = shown.plane.um;
    const size = um ? `${((beads.d[i] / 10) * um).toPrecision(3)} µm` : `${beads.d[i] / 10} px`;
    const words = [`bead ${beads.label[i]}: diameter ${size}`, beads.c[i] === null ? "" : `confidence ${(beads.c[i] / 100).toFixed(2)}`, ...flagsOf(beads, i)];
    find("bead").textContent = inside ? words.filter(Boolean).join(", ") : "";
  });

  function step(by) {
    const all = visible();
    const row = all[all.indexOf(shown.row) + by];
    if (row) look(row);
  }
  const times = (factor) => svg.transition().duration(120).call(zoom.scaleBy, factor);
  const whole = () => svg.transition().duration(120).call(zoom.transform, d3.zoomIdentity);
  const toggle = () => { find("outlines").checked = !find("outlines").checked; draw(); };
  const recolour = () => { find("colour").selectedIndex = (find("colour").selectedIndex + 1) % find("colour").length; draw(); };
  const keys = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), o: toggle, c: recolour, "+": () => times(1.5), "=": () => times(1.5), "-": () => times(1 / 1.5), 0: whole };
  viewer.addEventListener("keydown", (event) => {
    if (event.target.matches("select") || event.ctrlKey || event.metaKey || event.altKey) return;
    keys[event.key]?.();
  });
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !viewer.open && !event.target.matches("input, select")) {
      event.preventDefault();
      find("words").focus();
    }
  });
  for (const [id, action] of Object.entries({ previous: keys.ArrowLeft, next: keys.ArrowRight, in: keys["+"], out: keys["-"], whole, close: () => viewer.close() })) {
    find(id).addEventListener("click", action);
  }
  find("outlines").addEventListener("change", draw);
  find("colour").addEventListener("change", draw);
  viewer.addEventListener("close", () => shown?.row.querySelector(".thumbnail")?.focus());
  table.addEventListener("click", ({ target }) => {
    const button = target.closest(".thumbnail");
    if (button) look(button.closest("tr"));
  });

  filter();
})();
