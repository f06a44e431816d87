// Puts the chat page together: the connection, the rooms, and the views that show them.
import { showComposer } from "./composer-view.js";
import { Connection } from "./connection.js";
import { Directory } from "./directory.js";
import { byId } from "./dom.js";
import { showLogs } from "./log-view.js";
import { showNotices } from "./notices.js";
import { showPanels } from "./panels.js";
import { showPeople } from "./people-view.js";
import { rememberedName } from "./person.js";
import { keepOverReload, restoreAfterReload } from "./reload.js";
import { Rooms } from "./rooms.js";
import { showRooms } from "./rooms-view.js";
import { showStatus } from "./status-view.js";
import { showTabs } from "./tabs-view.js";
import { askForName } from "./welcome.js";

let name = rememberedName();
const connection = new Connection();
const rooms = new Rooms(connection, () => name);
const directory = new Directory(connection);
const notices = showNotices(connection);
const panels = showPanels();

showStatus(connection);
showTabs(rooms);
showPeople(rooms, connection);
showLogs(rooms);
showComposer(rooms, connection, notices);
showRooms(rooms, directory, {
  done() {
    panels.close({ focusBack: false });
    byId("message").focus();
  },
});

restoreAfterReload(rooms);
keepOverReload(rooms);
askForName({
  current: name,
  chosen(chosen) {
    name = chosen;
    byId("app").hidden = false;
    connection.open(chosen);
    if (rooms.active === null && document.activeElement === document.body) byId("choose").focus();
  },
});
