// Errors that belong to no field or message: shown above the conversation until they are closed.
import { byId, el, icon } from "./dom.js";
import { Problem } from "./problem.js";

const MOST = 3;

export function showNotices(connection) {
  const place = byId("notices");

  function tell(problem, about) {
    const words = problem.shown(about);
    const close = el("button", { type: "button", class: "icon-button", "aria-label": "Close this notice" }, icon("close"));
    const notice = el("div", { class: "notice" }, words, close);
    close.addEventListener("click", () => {
      notice.remove();
      byId("main").focus();
    });
    place.append(notice);
    while (place.childElementCount > MOST) place.firstElementChild.remove();
  }

  // An error that answers no question of ours comes as an event.
  connection.on("error", (answer) => {
    if (typeof answer?.code === "string" && answer.code !== "SHUTTING_DOWN") tell(new Problem(answer), { room: answer.room });
  });
  return { tell };
}
