/* SPDX-License-Identifier: MIT */
/*
 * The page's script: theme, values under the pointer, and the map that can be zoomed.  Without it the
 * page is all there but for these.  It asks nothing of any network.
 */
"use strict";
(() => {
const root = document.documentElement;
const data = JSON.parse(document.getElementById("data").textContent);
const tip = document.getElementById("tip");

// Numbers and elements -----------------------------------------------------------------------

const NBSP = "\u00a0";

function grouped(n) {
	return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, NBSP);
}

function bytes(n) {
	const names = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
	let i = 0;

	for (; n >= 1024 && i < 5; i++)
		n /= 1024;
	return n.toFixed(n >= 99.95 || n === Math.floor(n) ? 0 : n >= 9.995 ? 1 : 2) + NBSP + names[i];
}

function seconds(t, span) {
	const [size, name] = span >= 172800 ? [86400, "d"] : span >= 7200 ? [3600, "h"] :
		span >= 180 ? [60, "min"] : span >= 0.5 ? [1, "s"] : [1e-3, "ms"];

	return (t / size).toFixed(2) + NBSP + name;
}

// Nothing is ever put together as markup: texts are texts.
function element(name, text, className) {
	const made = document.createElement(name);

	if (text !== undefined)
		made.textContent = text;
	if (className)
		made.className = className;
	return made;
}

function svgElement(name, attributes) {
	const made = document.createElementNS("http://www.w3.org/2000/svg", name);

	for (const key in attributes)
		made.setAttribute(key, attributes[key]);
	return made;
}

function colour(name) {
	return getComputedStyle(root).getPropertyValue("--" + name).trim();
}

// The tip ------------------------------------------------------------------------------------

// rows: [colour name or null, name, value, detail]
function tipShow(x, y, title, rows) {
	const table = element("table");

	for (const [swatch, ...cells] of rows) {
		const row = table.insertRow();

		for (const [i, text] of cells.entries()) {
			const cell = row.insertCell();

			if (i === 0 && swatch) {
				const mark = element("i");

				mark.style.background = swatch;
				cell.append(mark);
			}
			cell.append(text);
		}
	}
	table.className = rows.every((row) => row[1].length < 12) ? "short" : "";
	tip.replaceChildren(element("b", title), table);
	tip.hidden = false;

	const width = tip.offsetWidth, height = tip.offsetHeight;
	const left = x + 16 + width > innerWidth - 8 ? x - 16 - width : x + 16;
	const top = y + 16 + height > innerHeight - 8 ? y - 16 - height : y + 16;

	tip.style.left = Math.max(8, Math.min(left, innerWidth - 8 - width)) + "px";
	tip.style.top = Math.max(8, top) + "px";
}

function tipHide() {
	tip.hidden = true;
}

// Theme --------------------------------------------------------------------------------------

const THEMES = ["auto", "light", "dark"];

function themeSetup(changed) {
	const button = document.getElementById("theme");
	const store = (value) => {
		try {
			return value === undefined ? localStorage.getItem("quire-theme") : localStorage.setItem("quire-theme", value);
		} catch (e) {
			return null; // a page from a file may not keep anything
		}
	};
	const set = (theme) => {
		if (theme === "auto")
			delete root.dataset.theme;
		else
			root.dataset.theme = theme;
		button.textContent = "Theme: " + theme;
		changed();
	};

	button.hidden = false;
	button.addEventListener("click", () => {
		const next = THEMES[(THEMES.indexOf(root.dataset.theme || "auto") + 1) % THEMES.length];

		store(next);
		set(next);
	});
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
	set(THEMES.includes(store()) ? store() : "auto");
}

// Curves -------------------------------------------------------------------------------------

function nearest(times, t) {
	let low = 0, high = times.length - 1;

	while (low < high) {
		const middle = (low + high) >> 1;

		if (times[middle] < t)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && t - times[low - 1] < times[low] - t ? low - 1 : low;
}

function plotValues(kind, run, i) {
	const n = run[kind][i];

	return kind === "huge" ? [grouped(n), bytes(n * data.page * 2 ** data.pageblock)] : [bytes(n * data.page), grouped(n) + NBSP + "pages"];
}

function orderRows(run, i, end) {
	const rows = [];

	for (let order = end - 1; order >= 0; order--) {
		const n = run.orders[order][i], size = data.page * 2 ** order;

		rows.push([`var(--order${order})`, bytes(size), bytes(n * size), grouped(n)]);
	}
	return rows;
}

class Plot {
	constructor(group) {
		const get = (name) => Number(this.hit.getAttribute(name));

		this.group = group;
		this.hit = group.querySelector(".hit");
		[this.x, this.y, this.width, this.height] = [get("x"), get("y"), get("width"), get("height")];
		[this.low, this.high, this.span] = ["low", "high", "span"].map((name) => Number(group.dataset[name]));
		this.kind = group.dataset.kind;
		this.runs = this.ofSweep() ? data.sweep.runs : this.kind === "orders" ? [data.runs[group.dataset.run]] : data.runs;
		this.marks = svgElement("g", {});
		group.append(this.marks);
		group.setAttribute("tabindex", "0");
		group.setAttribute("aria-label", `values: arrow keys move through ${this.ofSweep() ? "them" : "time"}`);
		group.addEventListener("pointermove", (e) => this.pointed(e));
		group.addEventListener("pointerdown", (e) => this.pointed(e));
		group.addEventListener("pointerleave", () => this.leave());
		group.addEventListener("blur", () => this.leave());
		group.addEventListener("keydown", (e) => this.key(e));
	}

	/* Over the values of a tunable, and not over time? */
	ofSweep() {
		return "sweep" in this.group.dataset;
	}

	heading(i, t) {
		return this.ofSweep() ? `${data.sweep.name} ${data.sweep.values[i]}` :
			`${seconds(t, this.span)}, ${grouped(this.runs[0].events[i])} events`;
	}

	values(run, i) {
		return this.ofSweep() ? [run.text[this.kind][i]] : plotValues(this.kind, run, i);
	}

	leave() {
		this.marks.replaceChildren();
		tipHide();
	}

	pointed(e) {
		const matrix = this.hit.getScreenCTM();

		if (!matrix || !this.runs[0].time.length)
			return;
		const t = (new DOMPoint(e.clientX, e.clientY).matrixTransform(matrix.inverse()).x - this.x) / this.width * this.span;

		this.show(nearest(this.runs[0].time, t), e.clientX, e.clientY);
	}

	key(e) {
		const step = {ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20}[e.key];

		if (!step)
			return;
		e.preventDefault();
		const last = this.runs[0].time.length - 1;
		const box = this.hit.getBoundingClientRect();
		const i = Math.max(0, Math.min(last, (this.at ?? (step > 0 ? -1 : last + 1)) + step));

		this.show(i, box.left + this.runs[0].time[i] / this.span * box.width, box.top + 20);
	}

	show(i, clientX, clientY) {
		const t = this.runs[0].time[i], x = this.x + t / this.span * this.width;
		const marks = [svgElement("path", {class: "cursor", d: `M${x} ${this.y}v${this.height}`})];
		let rows;

		this.at = i;
		if (this.kind === "orders") {
			rows = orderRows(this.runs[0], i, Number(this.group.dataset.end));
		} else {
			rows = this.runs.map((run, n) => {
				const j = nearest(run.time, t);
				const y = this.y + this.height * (1 - (run[this.kind][j] - this.low) / (this.high - this.low));

				marks.push(svgElement("circle", {class: "dot", cx: x, cy: y, r: 3.5, style: `fill:var(--run${n % 8})`}));
				return [`var(--run${n % 8})`, run.label, ...this.values(run, j)];
			});
		}
		this.marks.replaceChildren(...marks);
		tipShow(clientX, clientY, this.heading(i, t), rows);
	}
}

// Maps ---------------------------------------------------------------------------------------

const NO_MEMORY = 255, RESERVED = 254, FREE = 0.14, LEAST = 0.36, LABEL = 17, DETAIL = 9, LETTERS = 20, MOST = 44;

async function unpack(text) {
	const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
	const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
	const planes = new Uint8Array(await new Response(stream).arrayBuffer());
	const nr = planes.length / 9;
	const word = (plane, i) => planes[nr * plane + i] + planes[nr * (plane + 1) + i] * 256 +
		planes[nr * (plane + 2) + i] * 65536 + planes[nr * (plane + 3) + i] * 16777216;

	return {
		type: planes.subarray(0, nr),
		used: Uint32Array.from({length: nr}, (_, i) => word(1, i)),
		present: Uint32Array.from({length: nr}, (_, i) => word(5, i)),
	};
}

function strength(used, present) {
	return used ? LEAST + (1 - LEAST) * used / present : FREE;
}

/* One canvas: one map, drawn from an image with a pixel for each pageblock. */
class PageblockMap {
	constructor(atlas, name, cells) {
		this.atlas = atlas;
		this.name = name;
		this.cells = cells;
		this.canvas = element("canvas");
		this.canvas.tabIndex = 0;
		this.canvas.setAttribute("role", "img");
		this.canvas.setAttribute("aria-label", `Map of pageblocks, ${name}: arrow keys move, plus and minus zoom`);
		this.context = this.canvas.getContext("2d");
		this.image = new OffscreenCanvas(atlas.columns, Math.max(1, atlas.rows));
	}

	paint() {
		const pixels = new ImageData(this.image.width, this.image.height);
		const {type, used, present} = this.cells;

		for (let i = 0; i < type.length; i++) {
			if (type[i] === NO_MEMORY)
				continue;
			const reserved = type[i] === RESERVED;
			const [r, g, b] = reserved ? this.atlas.grey : this.atlas.palette[type[i]];

			pixels.data[4 * i] = r;
			pixels.data[4 * i + 1] = g;
			pixels.data[4 * i + 2] = b;
			pixels.data[4 * i + 3] = 255 * this.atlas.emphasis(type[i]) * (reserved ? 1 : strength(used[i], present[i]));
		}
		this.image.getContext("2d").putImageData(pixels, 0, 0);
	}

	draw() {
		const {atlas, context: c} = this, {columns, view} = atlas;
		const ratio = devicePixelRatio || 1, width = this.canvas.clientWidth;
		const height = Math.round(atlas.canvasHeight);
		const cell = width / columns * view.scale;

		if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
			this.canvas.style.height = height + "px";
			this.canvas.width = Math.round(width * ratio);
			this.canvas.height = Math.round(height * ratio);
		}
		c.setTransform(ratio, 0, 0, ratio, 0, 0);
		c.clearRect(0, 0, width, height);
		c.imageSmoothingEnabled = cell * ratio < 1;
		c.imageSmoothingQuality = "high";
		for (const segment of atlas.segments) {
			const x = -view.x * cell, y = (segment.y - view.y) * cell;

			if (y > height || y + segment.rows * cell < -LABEL)
				continue;
			if (cell >= DETAIL)
				this.drawCells(segment, x, y, cell, width, height);
			else
				c.drawImage(this.image, 0, segment.at, columns, segment.rows, x, y, columns * cell, segment.rows * cell);
			c.fillStyle = atlas.muted;
			c.font = "12px system-ui, sans-serif";
			c.textAlign = "start";
			c.textBaseline = "alphabetic";
			c.fillText(atlas.map.zones[segment.zone], 0, y - 5);
		}
		this.drawChosen(cell);
	}

	drawChosen(cell) {
		const {atlas, context: c} = this;

		if (!atlas.chosen)
			return;
		const {segment, row, column} = atlas.chosen, size = Math.max(cell, 5), more = (size - cell) / 2;

		c.strokeStyle = atlas.ink;
		c.lineWidth = 1.5;
		c.strokeRect((column - atlas.view.x) * cell - more - 1, (segment.y + row - atlas.view.y) * cell - more - 1, size + 2, size + 2);
	}

	/* Near enough, each pageblock is a vessel: as full as it is, with the letter of its type. */
	drawCells(segment, x, y, cell, width, height) {
		const {atlas, context: c} = this, {columns} = atlas;
		const first = Math.max(0, Math.floor(-y / cell)), end = Math.min(segment.rows, Math.ceil((height - y) / cell));
		const left = Math.max(0, Math.floor(-x / cell)), right = Math.min(columns, Math.ceil((width - x) / cell));

		c.font = `${Math.min(13, cell / 2.2)}px system-ui, sans-serif`;
		c.textAlign = "center";
		c.textBaseline = "middle";
		for (let row = first; row < end; row++) {
			for (let column = left; column < right; column++) {
				const i = (segment.at + row) * columns + column, type = this.cells.type[i];

				if (type === NO_MEMORY)
					continue;
				const cx = x + column * cell, cy = y + row * cell, size = cell - 1.5;
				const share = this.cells.used[i] / this.cells.present[i];
				const fill = share ? Math.max(1.5, size * share) : 0;

				c.globalAlpha = atlas.emphasis(type);
				if (type === RESERVED) {
					c.fillStyle = atlas.reserved;
					c.fillRect(cx, cy, size, size);
					continue;
				}
				c.fillStyle = atlas.tints[type];
				c.fillRect(cx, cy, size, size);
				c.fillStyle = atlas.colours[type];
				c.fillRect(cx, cy + size - fill, size, fill);
				if (cell >= LETTERS) {
					c.fillStyle = share > 0.55 ? atlas.paper : atlas.ink;
					c.fillText(atlas.map.types[type][0], cx + size / 2, cy + size / 2 + 0.5);
				}
			}
		}
		c.globalAlpha = 1;
	}
}

/* All maps, which are looked at through one view: the same place is the same pageblock. */
class Atlas {
	constructor(map, cells, section) {
		this.map = map;
		this.columns = map.columns;
		this.rows = map.rows;
		this.view = {scale: 1, x: 0, y: 0};
		this.pointers = new Map();
		this.only = null; // the type that is emphasised
		this.maps = map.maps.map((one, i) => new PageblockMap(this, one.name, cells[i]));
		this.build(section);
		this.restyle();
		new ResizeObserver(() => this.layout()).observe(this.grid);
	}

	/* Of what is no type only the reserved are drawn. */
	emphasis(type) {
		return this.only === null || this.only === type ? 1 : 0.12;
	}

	build(section) {
		const figure = section.querySelector("figure");
		const tools = element("div", undefined, "tools");
		const button = (text, label, action) => {
			const made = element("button", text);

			made.type = "button";
			made.setAttribute("aria-label", label);
			made.addEventListener("click", action);
			tools.append(made);
		};

		button("+", "zoom in", () => this.zoom(2));
		button("\u2212", "zoom out", () => this.zoom(0.5));
		button("Whole", "the whole map", () => this.zoom(0));
		tools.append(element("span", "Ctrl and the wheel zoom, so do two fingers; drag to move.", "hint"));
		this.grid = element("div", undefined, "maps");
		for (const map of this.maps) {
			const box = element("div");

			box.append(element("h3", map.name.replace(/[_=]/g, "$&\u200b")), map.canvas);
			this.grid.append(box);
			this.listen(map);
		}
		figure.prepend(tools, this.typeButtons(), this.grid);
		section.classList.add("live");
	}

	typeButtons() {
		const row = element("div", undefined, "types");
		const buttons = [];

		this.map.types.forEach((name, type) => {
			if (!this.maps.some((map) => map.cells.type.includes(type)))
				return;
			const button = element("button"), ramp = element("span", undefined, "ramp");

			ramp.style.setProperty("--type", `var(--type${type})`);
			button.type = "button";
			button.append(ramp, name);
			button.setAttribute("aria-pressed", "false");
			button.title = `${name}, from wholly free to wholly in use: show only this type`;
			button.addEventListener("click", () => {
				this.only = this.only === type ? null : type;
				buttons.forEach(([b, t]) => b.setAttribute("aria-pressed", String(this.only === t)));
				this.repaint();
			});
			buttons.push([button, type]);
			row.append(button);
		});
		return row;
	}

	restyle() {
		const hex = (text) => [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16));

		this.colours = this.map.types.map((_, type) => colour("type" + type));
		this.palette = this.colours.map(hex);
		this.tints = this.palette.map(([r, g, b]) => `rgba(${r},${g},${b},${FREE})`);
		[this.ink, this.paper, this.muted, this.reserved] = ["ink", "paper", "muted", "reserved"].map(colour);
		this.grey = hex(this.reserved);
		this.repaint();
	}

	repaint() {
		for (const map of this.maps)
			map.paint();
		this.layout();
	}

	layout() {
		const cell = this.maps[0].canvas.clientWidth / this.columns || 1;

		this.canvasHeight = this.rows * cell + this.map.segments.length * LABEL + 1;
		this.place();
		this.draw();
	}

	/* Where segments lie, in cells: above each there is room for a label, which does not grow with them. */
	place() {
		const room = LABEL / this.cellSize();
		let y = 0;

		this.segments = this.map.segments.map((segment) => {
			y += room;
			const placed = {...segment, y};

			y += segment.rows;
			return placed;
		});
		this.height = y + 1 / this.cellSize();
	}

	draw() {
		const {view} = this;

		view.x = Math.max(0, Math.min(view.x, this.columns * (1 - 1 / view.scale)));
		view.y = Math.max(0, Math.min(view.y, this.height - this.canvasHeight / this.cellSize()));
		for (const map of this.maps) {
			map.canvas.classList.toggle("zoomed", view.scale > 1);
			map.draw();
		}
	}

	cellSize() {
		return (this.maps[0].canvas.clientWidth / this.columns || 1) * this.view.scale;
	}

	/* factor 0: the whole map.  What is at px, py of the canvas stays there. */
	zoom(factor, px, py) {
		const {canvas} = this.maps[0], before = this.cellSize(), {view} = this;
		const x = px ?? canvas.clientWidth / 2, y = py ?? canvas.clientHeight / 2;
		const row = y / before + view.y;
		const i = Math.max(0, this.segments.findIndex((s) => row < s.y + s.rows));
		const inside = row - this.segments[i].y;

		view.scale = factor ? Math.max(1, Math.min(Math.max(1, MOST * view.scale / before), view.scale * factor)) : 1;
		this.place();
		const after = this.cellSize();

		view.x += x / before - x / after;
		view.y = this.segments[i].y + (inside < 0 ? inside * before / after : inside) - y / after;
		this.draw();
	}

	at(px, py) {
		const cell = this.cellSize(), column = Math.floor(px / cell + this.view.x), y = py / cell + this.view.y;
		const segment = this.segments.find((s) => y >= s.y && y < s.y + s.rows);

		return segment && column >= 0 && column < this.columns ? {segment, row: Math.floor(y - segment.y), column} : null;
	}

	choose(chosen, clientX, clientY) {
		this.chosen = chosen && this.maps.some((map) => map.cells.type[this.index(chosen)] !== NO_MEMORY) ? chosen : null;
		this.draw();
		if (this.chosen)
			this.tell(clientX, clientY);
		else
			tipHide();
	}

	index({segment, row, column}) {
		return (segment.at + row) * this.columns + column;
	}

	tell(clientX, clientY) {
		const {segment, row, column} = this.chosen, i = this.index(this.chosen);
		const block = (segment.row + row) * this.columns + column, pfn = block * 2 ** data.pageblock;
		const hex = (n) => "0x" + n.toString(16);
		const rows = this.maps.map((map) => {
			const type = map.cells.type[i], used = map.cells.used[i], present = map.cells.present[i];

			if (type === NO_MEMORY)
				return [null, map.name, "no memory", ""];
			if (type === RESERVED)
				return [this.reserved, map.name, "not the allocator\u2019s", ""];
			return [this.colours[type], map.name, this.map.types[type],
				used === 0 ? "wholly free" : used === present ? "all in use" : `${used} of ${present} in use`];
		});

		tipShow(clientX, clientY, `pfn ${hex(pfn)} to ${hex(pfn + 2 ** data.pageblock - 1)}, ${this.map.zones[segment.zone]}, at ${bytes(pfn * data.page)}`, rows);
	}

	listen(map) {
		const {canvas} = map;
		const place = (e) => {
			const box = canvas.getBoundingClientRect();

			return [e.clientX - box.left, e.clientY - box.top];
		};
		const release = (e) => this.pointers.delete(e.pointerId);

		canvas.addEventListener("pointerdown", (e) => {
			this.pointers.set(e.pointerId, place(e));
			if (this.view.scale > 1)
				canvas.setPointerCapture(e.pointerId);
			this.choose(this.at(...place(e)), e.clientX, e.clientY);
		});
		canvas.addEventListener("pointermove", (e) => this.moved(e, place(e)));
		canvas.addEventListener("pointerup", release);
		canvas.addEventListener("pointercancel", release);
		canvas.addEventListener("pointerleave", (e) => {
			release(e);
			this.choose(null);
		});
		canvas.addEventListener("blur", () => this.choose(null));
		canvas.addEventListener("dblclick", (e) => this.zoom(2, ...place(e)));
		canvas.addEventListener("wheel", (e) => {
			if (!e.ctrlKey && !e.metaKey)
				return;
			e.preventDefault();
			this.zoom(Math.exp(-e.deltaY / 240), ...place(e));
		}, {passive: false});
		canvas.addEventListener("keydown", (e) => this.key(canvas, e));
	}

	moved(e, [x, y]) {
		const held = this.pointers.get(e.pointerId), cell = this.cellSize();

		if (held && this.pointers.size === 2) {
			const [other] = [...this.pointers].filter(([id]) => id !== e.pointerId).map(([, at]) => at);
			const before = Math.hypot(held[0] - other[0], held[1] - other[1]);

			this.pointers.set(e.pointerId, [x, y]);
			if (before > 1)
				this.zoom(Math.hypot(x - other[0], y - other[1]) / before, (x + other[0]) / 2, (y + other[1]) / 2);
			tipHide();
			return;
		}
		if (held && this.view.scale > 1) {
			this.view.x -= (x - held[0]) / cell;
			this.view.y -= (y - held[1]) / cell;
			this.pointers.set(e.pointerId, [x, y]);
		}
		this.choose(this.at(x, y), e.clientX, e.clientY);
	}

	key(canvas, e) {
		const zoom = {"+": 2, "=": 2, "-": 0.5, "0": 0}[e.key];
		const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[e.key];

		if (e.ctrlKey || e.metaKey || (zoom === undefined && !step))
			return;
		e.preventDefault();
		if (zoom !== undefined) {
			this.zoom(zoom);
			return;
		}
		const at = this.chosen || {segment: this.segments[0], row: 0, column: 0};
		const next = {...at, column: Math.max(0, Math.min(this.columns - 1, at.column + step[0])), row: at.row + step[1]};
		const place = this.segments.indexOf(this.segments.find((s) => s.at === at.segment.at));
		const other = this.segments[place + step[1]];

		if (next.row < 0 || next.row >= at.segment.rows) {
			if (!other)
				return;
			next.segment = other;
			next.row = step[1] < 0 ? other.rows - 1 : 0;
		}
		this.follow(canvas, next);
	}

	/* The chosen cell, brought into view. */
	follow(canvas, chosen) {
		const {view} = this, y = chosen.segment.y + chosen.row, box = canvas.getBoundingClientRect();
		const wide = this.columns / view.scale, high = this.canvasHeight / this.cellSize();

		view.x = Math.min(Math.max(view.x, chosen.column + 1 - wide), chosen.column);
		view.y = Math.min(Math.max(view.y, y + 1 - high), y);
		this.chosen = chosen;
		this.draw();
		const cell = this.cellSize();

		this.tell(box.left + (chosen.column + 1 - view.x) * cell, box.top + (y + 1 - view.y) * cell);
	}
}

async function mapSetup() {
	const {map} = data;

	// Without a way to unpack them, the maps that were drawn beforehand stay.  A sweep has none.
	if (!map || !map.maps || !("DecompressionStream" in window) || !("OffscreenCanvas" in window))
		return null;
	return new Atlas(map, await Promise.all(map.maps.map((one) => unpack(one.cells))), document.getElementById("map"));
}

// All of it ----------------------------------------------------------------------------------

async function start() {
	let atlas = null;

	for (const group of document.querySelectorAll("g.plot"))
		new Plot(group);
	themeSetup(() => atlas && atlas.restyle());
	addEventListener("scroll", tipHide, {passive: true});
	atlas = await mapSetup();
	root.dataset.script = atlas ? "map" : "no-map";
}

start();
})();
