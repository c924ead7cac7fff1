// alarms/alarms.tsx: the page: what stands, what is put aside, what happened, what is an alarm.
import { useEffect, useRef } from "preact/hooks";
import "../pages/pages.css";
import "./alarms.css";
import { handle } from "../core/keys";
import { param, place, setParams } from "../core/router";
import { mayOperate } from "../core/session";
import { useTitle } from "../ui/hooks";
import { Icon } from "../ui/icon";
import { Journal, Numbers } from "./journal";
import { Now } from "./now";
import { Rules } from "./rules";
import { Targets } from "./targets";
import { setSound, soundOn } from "./sound";
import { counts } from "./store";

const tabs = [
    { id: "", label: "Now" },
    { id: "aside", label: "Put aside" },
    { id: "journal", label: "Journal" },
    { id: "numbers", label: "Numbers" },
    { id: "rules", label: "Rules" },
    { id: "targets", label: "Who is told" },
];

function countOf(id: string): number {
    const states = counts.value?.states;
    if (!states) return 0;
    if (id === "aside") return states.shelved + states.suppressed + states["out-of-service"];
    if (id !== "") return 0;
    return Object.values(counts.value!.standing).reduce((sum, count) => sum + count, 0);
}

export function Alarms() {
    useTitle("Alarms");
    void place.value;
    const tab = param("tab");
    const input = useRef<HTMLInputElement>(null);
    useEffect(() => handle("search", () => input.current?.select()), []);
    return (
        <div class="page">
            <header class="page-head">
                <h1>Alarms</h1>
                <nav class="alarm-tabs" aria-label="Views of alarms">
                    {tabs.filter((each) => each.id !== "targets" || mayOperate.value).map((each) => (
                        <a key={each.id} href={each.id ? `/alarms?tab=${each.id}` : "/alarms"} aria-current={tab === each.id ? "page" : undefined}>
                            {each.label}{countOf(each.id) > 0 && <span class="count">{countOf(each.id)}</span>}
                        </a>
                    ))}
                </nav>
                <button class="button small" aria-pressed={soundOn.value} onClick={() => setSound(!soundOn.value)}
                    title="A tone in this browser while a critical or high alarm waits for somebody">
                    <Icon name={soundOn.value ? "volume-2" : "volume-x"} size={14} />Sound
                </button>
                {(tab === "" || tab === "aside") && (
                    <div class="filter">
                        <Icon name="search" size={14} />
                        <input ref={input} type="search" aria-label="Search alarms" placeholder="Search" value={param("q")}
                            onInput={(event) => setParams({ q: event.currentTarget.value })} />
                        <kbd aria-hidden="true">/</kbd>
                    </div>
                )}
            </header>
            {tab === "journal" ? <Journal /> : tab === "numbers" ? <Numbers /> : tab === "rules" ? <Rules /> : tab === "targets" ? <Targets /> : <Now key={tab} aside={tab === "aside"} />}
        </div>
    );
}
