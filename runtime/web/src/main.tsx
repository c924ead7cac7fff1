// main.tsx: starts the page: theme, address, keys, session; then draws the frame.
import { render } from "preact";
import "virtual:tokens.css";
import "./theme/base.css";
import "./theme/frame.css";
import { App, pagesStart } from "./app";
import { routerStart } from "./core/router";
import { sessionStart } from "./core/session";
import { keysStart } from "./core/keys";
import { themeStart } from "./theme/theme";

themeStart();
routerStart();
keysStart();
pagesStart();
render(<App />, document.getElementById("app")!);
void sessionStart();
