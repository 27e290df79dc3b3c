// Questions in the reader's browser: one at a time, answered by a click or a digit, the truth at once, a score at the end.

// How a reader did, in words, beside the yardstick.
export function verdict(right, total, { name, share }) {
  const percent = x => `${Math.round(100 * x)} %`;
  const won = right / total - share, than = Math.abs(won) < 1e-9 ? "as well as" : won > 0 ? "better than" : "worse than";
  return `You have ${right} of ${total} right, ${percent(right / total)}: ${than} ${name} (${percent(share)}).`;
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  // JupyterLab takes arrow keys and digits from what does not carry this mark.
  if (tag === "button") made.dataset.lmSuppressShortcuts = "true";
  return made;
}

function render({ model, el }) {
  const questions = model.get("questions"), yardstick = model.get("yardstick");
  const root = element("div", { className: "ganlib-quiz", role: "group", ariaLabel: "A guess before the reveal" });
  const count = element("p", { className: "quiz-count" }), text = element("p", { className: "quiz-text" });
  const picture = element("div"), answers = element("div", { className: "quiz-answers" });
  const status = element("p", { className: "quiz-status", role: "status" });
  const next = element("button", { type: "button", className: "quiz-next" });
  root.dataset.lmSuppressShortcuts = "true";
  root.append(count, text, picture, answers, status, next);
  el.append(root);
  let at, right, answered;

  function ask() {
    const question = questions[at];
    answered = false;
    count.textContent = questions.length > 1 ? `Question ${at + 1} of ${questions.length}` : "Your guess";
    text.textContent = question.text;
    picture.replaceChildren(...question.picture
      ? [element("img", { className: "quiz-picture", src: `data:image/png;base64,${question.picture}`, alt: question.alt })] : []);
    answers.replaceChildren(...question.answers.map((answer, i) => element("button",
      { type: "button", ariaKeyShortcuts: String(i + 1), onclick: () => say(i) },
      element("kbd", { ariaHidden: "true" }, String(i + 1)), element("span", {}, answer))));
    status.textContent = "";
    next.hidden = true;
  }

  function say(i) {
    if (answered) return;
    const question = questions[at], hit = i === question.right;
    answered = true;
    right += hit;
    for (const [j, button] of [...answers.children].entries()) {
      // Not `disabled`: it would drop the focus, and a screen reader could not read the answers again.
      button.ariaDisabled = "true";
      if (j === question.right) button.classList.add("right");
      else if (j === i) button.classList.add("wrong");
    }
    const truth = hit ? "Right." : `No: ${question.answers[question.right]}.`, last = at + 1 === questions.length;
    const said = [truth, question.reveal];
    if (last) said.push(verdict(right, questions.length, yardstick));
    status.textContent = said.filter(Boolean).join(" ");
    root.dataset.score = `${right} of ${at + 1}`;
    next.textContent = last ? "Start again" : "Next question";
    next.hidden = false;
    next.focus({ preventScroll: true });
  }

  function start() {
    at = right = 0;
    root.dataset.score = "0 of 0";
    ask();
  }

  next.onclick = () => {
    if (++at === questions.length) start(); else ask();
    answers.firstChild.focus({ preventScroll: true });
  };
  root.onkeydown = event => {
    const i = Number(event.key) - 1;
    if (event.ctrlKey || event.altKey || event.metaKey || !answers.children[i]) return;
    event.preventDefault();
    event.stopPropagation();
    say(i);
  };
  start();
}

export default { render };
