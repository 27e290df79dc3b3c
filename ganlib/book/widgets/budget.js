// A budget game: coins for several goods, and what each purchase was measured to bring, looked up in a table.

function render({ model, el }) {
  const { goods, coins, unit, table } = model.get("facts"), id = `budget-${Math.random().toString(36).slice(2)}`;
  const chosen = () => model.get("choice"), price = choice => goods.reduce((sum, { levels }, g) => sum + levels[choice[g]].price, 0);
  const say = choice => goods.map(({ name, levels }, g) => `${name} ${levels[choice[g]].text}`).join(", ");
  const number = v => v.toFixed(digits), told = ([mean, low, high]) => `${number(mean)} ${unit} (${number(low)} to ${number(high)})`.replace(" ", "\u202f");
  const all = Object.entries(table).map(([key, values]) => ({ choice: key.split(",").map(Number), values }));
  const [least, most] = [Math.min(...all.map(one => one.values[1])), Math.max(...all.map(one => one.values[2]))];
  const digits = Math.max(0, Math.min(4, 2 - Math.floor(Math.log10(most - least || 1)))), room = 0.04 * (most - least) || 1;
  const set = (name, value) => { model.set(name, value); model.save_changes(); };
  // More is better; of equals the cheaper, then the first.
  const [best] = [...all].sort((a, b) => b.values[0] - a.values[0] || price(a.choice) - price(b.choice));

  // A choice of levels for each good.
  const inputs = goods.map(({ levels }, g) => levels.map(({ text, price: each }, i) =>
    make("input", { type: "radio", name: `${id}-${g}`, "aria-label": `${text}, ${each} coins`, onchange: () => set("choice", chosen().map((k, j) => j === g ? i : k)) })));
  const fields = goods.map(({ name, levels }, g) => make("fieldset", { class: "budget-good" }, make("legend", {}, name),
    ...levels.map(({ text, price: each }, i) => make("label", {}, inputs[g][i], make("span", {}, text), make("small", {}, `${each} coins`)))));

  // The coins: what goes to each good, and what is left.
  const parts = [...goods.map(({ name }) => name), "left"].map(name => make("div", { title: name }));
  const purse = make("div", { class: "budget-purse", role: "img" }, ...parts), left = make("span", { role: "status" });
  const buy = button("Buy", () => {
    if (price(chosen()) > coins) return;
    set("bought", [...model.get("bought"), chosen()]);
  }, { class: "budget-buy" });
  const reveal = button("Show the best", () => set("best_shown", true));
  const again = button("Start again", () => { model.set("bought", []); set("best_shown", false); });
  const said = make("p", { class: "trans-said", role: "status" }), list = make("ol", { class: "budget-list" }), ends = make("div", { class: "budget-ends", "aria-hidden": "true" });

  // One purchase in words, and its interval as a line with a dot.
  function line({ choice, values }, kind = "") {
    const share = v => `${100 * (v - least + room) / (most - least + 2 * room)}%`, [mean, low, high] = values;
    const bar = make("i", {}), dot = make("b", {});
    Object.assign(bar.style, { left: share(low), width: `calc(${share(high)} - ${share(low)})` });
    dot.style.left = share(mean);
    return make("li", { class: kind }, make("span", {}, `${kind ? "The best: " : ""}${say(choice)}`), make("small", {}, `${price(choice)} coins`),
      make("strong", {}, told(values)), make("div", { class: "budget-line", "aria-hidden": "true" }, bar, dot));
  }
  const looked = choice => ({ choice, values: table[choice.join(",")] });

  function draw() {
    const choice = chosen(), cost = price(choice), bought = model.get("bought").map(looked), shown = model.get("best_shown");
    choice.forEach((k, g) => { inputs[g][k].checked = true; });
    const spent = goods.map(({ levels }, g) => levels[choice[g]].price), whole = Math.max(coins, cost);
    [...spent, Math.max(0, coins - cost)].forEach((n, g) => { parts[g].style.width = `${100 * n / whole}%`; parts[g].textContent = n || ""; });
    purse.setAttribute("aria-label", `Coins: ${goods.map(({ name }, g) => `${name} ${spent[g]}`).join(", ")}`);
    left.textContent = cost > coins ? `${cost} coins, ${cost - coins} more than you have` : `${cost} of ${coins} coins, ${coins - cost} left`;
    purse.classList.toggle("dear", cost > coins);
    buy.setAttribute("aria-disabled", cost > coins);
    const others = all.filter(one => one !== best && one.values[2] >= best.values[1]).length;
    const over = shown ? ` The best that ${coins} coins buy: ${told(best.values)}; ${others || "none"} of the other ${all.length - 1} purchases ${others === 1 ? "has" : "have"} an interval that overlaps with its own.` : "";
    said.textContent = (bought.length ? `Bought: ${told(bought.at(-1).values)}.` : "Nothing bought yet.") + over;
    list.replaceChildren(...bought.map(one => line(one)), ...(shown ? [line(best, "best")] : []));
    list.hidden = ends.hidden = !bought.length && !shown;
    ends.replaceChildren(make("span", {}, `${number(least - room)} ${unit}`), make("span", {}, `${number(most + room)} ${unit}`));
    reveal.setAttribute("aria-disabled", shown);
  }
  el.append(make("div", { class: "ganlib-trans budget", role: "group", "aria-label": `${coins} coins to spend` },
    ...fields, purse, make("div", { class: "trans-row" }, buy, left), said, list, ends, make("div", { class: "trans-row" }, reveal, again)));
  draw();
  return follow(model, ["choice", "bought", "best_shown"], draw);
}

export default { render };
