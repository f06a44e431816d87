// Asks for a name: on the first visit before anything else, later when somebody wants another one.
import { byId } from "./dom.js";
import { rememberName, usableName, wear } from "./person.js";

export function askForName({ current, chosen }) {
  const [dialog, form, field, problem, cancel, save, text, me, avatar] =
    ["welcome", "name-form", "name", "name-problem", "name-cancel", "name-save", "welcome-text", "me-name", "me-avatar"].map(byId);
  let name = current;

  function open() {
    field.value = name ?? "";
    problem.textContent = "";
    field.removeAttribute("aria-invalid");
    cancel.hidden = name === null;
    save.textContent = name === null ? "Start chatting" : "Use this name";
    text.textContent = name === null ? "Talk in rooms with everyone who has this page open." : "Others see the new name from now on.";
    dialog.showModal();
    field.select();
  }

  function wearName() {
    me.textContent = name;
    me.title = name;
    wear(avatar, name);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const usable = usableName(field.value);
    if (usable === null) {
      problem.textContent = "Please give a name of 1 to 40 letters.";
      field.setAttribute("aria-invalid", "true");
      field.focus();
      return;
    }
    dialog.close();
    if (usable === name) return;
    name = usable;
    rememberName(name);
    wearName();
    chosen(name);
  });
  cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("cancel", (event) => {
    if (name === null) event.preventDefault(); // without a name there is nowhere to go back to
  });
  byId("rename").addEventListener("click", open);

  if (name === null) open();
  else {
    wearName();
    chosen(name);
  }
}
