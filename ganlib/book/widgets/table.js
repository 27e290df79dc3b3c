// A table to look things up in: searched as one types, narrowed by choices, sorted by its heads. table.py holds the same rules.

const EMPTY = ["", "–"], NUMBER = /^[-−+]?(\d+(\.\d+)?|\.\d+)$/;

// A text with code between `backticks`.
const written = text => text.split("`").map((part, i) => i % 2 ? make("code", {}, part) : part);

function render({ model, el }) {
  const { caption, columns, rows, search, choices } = model.get("facts"), root = document.documentElement.dataset.content_root;
  const set = (name, value) => { model.set(name, value); model.save_changes(); };
  const plain = cell => cell.map(part => part.text).join(", "), code = text => text.replaceAll("`", "").toLowerCase();

  // Links lead from the root of the built book, which its pages name; elsewhere there are no pages.
  const show = ({ text, to }) => make("div", {}, ...(to && root !== undefined ? [make("a", { href: root + to }, ...written(text))] : written(text)));
  const body = rows.map(cells => ({
    cells, text: code(search.map(i => cells[i].map(part => part.text).join("\n")).join("\n")),
    line: make("tr", { role: "row" }, ...cells.map((cell, i) =>
      make("td", { role: "cell", "data-head": columns[i] }, ...cell.map(show)))),
  }));

  const field = make("input", { type: "text", role: "searchbox", "aria-label": `Search: ${caption}`, placeholder: "Search", autocomplete: "off", spellcheck: "false" });
  field.oninput = () => set("query", field.value);
  field.onkeydown = event => { if (event.key === "Escape" && field.value) { event.preventDefault(); set("query", ""); } };
  const selects = Object.entries(choices).map(([name, texts]) => {
    const options = [make("option", { value: "" }, "all"), ...texts.map((text, k) => make("option", { value: k }, text.replaceAll("`", "") || "(empty)"))];
    const control = make("select", {}, ...options);
    control.onchange = () => {
      const { [name]: _, ...others } = model.get("chosen");
      set("chosen", control.value === "" ? others : { ...others, [name]: texts[control.value] });
    };
    return { name, texts, control };
  });
  const count = make("span", { class: "lookup-count", role: "status" });
  const all = button("Show all", () => { model.set("query", ""); set("chosen", {}); field.focus(); });

  // A head sorts upwards, then downwards, then not.
  const heads = columns.map(name => {
    const sort = button("", () => {
      const [column, way] = model.get("order");
      set("order", column !== name ? [name, "ascending"] : way === "ascending" ? [name, "descending"] : []);
    });
    sort.append(name, make("span", { class: "lookup-way", "aria-hidden": "true" }));
    return make("th", { role: "columnheader", scope: "col" }, sort);
  });
  const lines = make("tbody", { role: "rowgroup" });

  function sorted(left, column, down) {
    const told = row => plain(row.cells[column]), filled = left.filter(row => !EMPTY.includes(told(row)));
    const numbers = filled.every(row => NUMBER.test(told(row)));
    const keys = new Map(filled.map(row => [row, numbers ? Number(told(row).replace("−", "-")) : code(told(row))]));
    filled.sort((a, b) => (down ? -1 : 1) * (keys.get(a) > keys.get(b) ? 1 : keys.get(a) < keys.get(b) ? -1 : 0));
    return [...filled, ...left.filter(row => EMPTY.includes(told(row)))];
  }

  function draw() {
    const query = model.get("query"), chosen = model.get("chosen"), [column, way] = model.get("order");
    const words = code(query).split(/\s+/).filter(Boolean);
    let left = body.filter(row => words.every(word => row.text.includes(word))
      && Object.entries(chosen).every(([name, value]) => row.cells[columns.indexOf(name)].some(part => part.text === value)));
    if (column !== undefined) left = sorted(left, columns.indexOf(column), way === "descending");
    lines.replaceChildren(...left.map(row => row.line));
    if (field.value !== query) field.value = query;
    for (const { name, texts, control } of selects) control.value = name in chosen ? texts.indexOf(chosen[name]) : "";
    heads.forEach((head, i) => head.setAttribute("aria-sort", columns[i] === column ? way : "none"));
    count.textContent = left.length ? `${left.length} of ${rows.length}` : `none of ${rows.length}`;
    all.hidden = !query && !Object.keys(chosen).length;
  }
  const tools = [...(search.length ? [field] : []), ...selects.map(({ name, control }) => make("label", {}, make("span", {}, name), control)), count, all];
  el.append(make("div", { class: "ganlib-trans lookup", role: "group", "aria-label": caption }, make("p", { class: "lookup-caption" }, caption),
    make("div", { class: "trans-row" }, ...tools),
    make("div", { class: "lookup-box", role: "region", "aria-label": `${caption}: rows`, tabindex: 0 },
      make("table", { role: "table", "aria-label": caption }, make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...heads)), lines))));
  draw();
  return follow(model, ["query", "chosen", "order"], draw);
}

export default { render };
