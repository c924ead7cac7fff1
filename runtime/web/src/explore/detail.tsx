// explore/detail.tsx: one path: value, quality, where it comes from, its history and its latest values.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { api, type UnsNode } from "../core/api";
import { bytesText, isoText, numberText, timeText } from "../core/format";
import { go, param, setParams } from "../core/router";
import { cellOf, watchPaths, type Sample } from "../live/values";
import { Icon } from "../ui/icon";
import { useLoad } from "../ui/hooks";
import { ValueState } from "../ui/state";
import { About } from "./about";
import { HistoryPanel } from "./history";
import { LineagePanel, Uses } from "./lineage";
import { LiveChart } from "./live-chart";
import { copyText, openRowMenu } from "./row-menu";
import { SchemaBadge, SchemaPanel, useSchema } from "./schema";
import type { TreeNode } from "./tree";
import { unitInSchema } from "./units";

const LATEST = 100;

function CopyButton(props: { text: string }) {
    const [done, setDone] = useState(false);
    return (
        <button
            class="icon-button"
            aria-label="Copy the path"
            title="Copy the path"
            onClick={() => {
                void copyText(props.text).then(() => setDone(true));
                setTimeout(() => setDone(false), 1200);
            }}
        >
            <Icon name={done ? "check" : "copy"} size={15} />
        </button>
    );
}

function PathTitle(props: { path: string; hasValue: boolean }) {
    const parts = props.path.split("/");
    return (
        <div class="detail-head">
            <button class="icon-button narrow-only" aria-label="Back to the tree" onClick={() => go("/uns")}>
                <Icon name="arrow-left" />
            </button>
            <h2 class="detail-path">
                {parts.map((part, at) => (
                    <span key={at}>
                        {at > 0 && <span class="quiet">/</span>}
                        {at < parts.length - 1 ? (
                            <a href={`/uns?path=${parts.slice(0, at + 1).map(encodeURIComponent).join("/")}`}>{part}</a>
                        ) : (
                            <b>{part}</b>
                        )}
                    </span>
                ))}
            </h2>
            <CopyButton text={props.path} />
            <button class="icon-button" aria-label="Actions for this path" title="Actions" aria-haspopup="menu"
                onClick={(event) => {
                    const at = event.currentTarget.getBoundingClientRect();
                    openRowMenu({ path: props.path, hasValue: props.hasValue }, at.right - 8, at.bottom + 4);
                }}>
                <Icon name="ellipsis-vertical" size={15} />
            </button>
        </div>
    );
}

function Facts(props: { path: string; data: UnsNode | null }) {
    const { data } = props;
    if (!data?.has_value) return null;
    const facts: [string, string, string?][] = [["Type", data.type ?? "–"]];
    if (data.received) facts.push(["Received", timeText(data.received), isoText(data.received)]);
    if (data.ts) facts.push(["Source time", timeText(Date.parse(data.ts)), data.ts]);
    if (data.publisher) facts.push(["Publisher", data.publisher]);
    if (data.count !== undefined) facts.push(["Publishes", numberText(data.count, 0)]);
    if (data.first) facts.push(["First seen", timeText(data.first), isoText(data.first)]);
    facts.push(["History", data.sampled ? "recorded" : "not recorded"]);
    if (typeof data.value === "string") facts.push(["Size", bytesText(new TextEncoder().encode(data.value).length)]);
    return (
        <>
            {data.reason && (
                <p class="reason">
                    <Icon name="triangle-alert" size={14} /> {data.reason}
                </p>
            )}
            <dl class="facts">
                {facts.map(([name, value, title]) => (
                    <div key={name}>
                        <dt>{name}</dt>
                        <dd class="num cut" title={title ?? value}>{value}</dd>
                    </div>
                ))}
            </dl>
        </>
    );
}

/** The values that arrived while this page is open, newest first; at most 100. */
function Latest(props: { path: string }) {
    const list = useRef<Sample[]>([]);
    const [, redraw] = useState(0);
    useEffect(() => {
        const cell = cellOf(props.path);
        const stop = cell.sample.subscribe((sample) => {
            if (sample.quality === 3) return;
            list.current.unshift(sample);
            if (list.current.length > LATEST) list.current.pop();
        });
        const timer = setInterval(() => !document.hidden && redraw((n) => n + 1), 500);
        return () => {
            stop();
            clearInterval(timer);
        };
    }, [props.path]);
    const quality = ["good", "uncertain", "bad", ""];
    return (
        <section class="card">
            <h3>Latest values</h3>
            <div class="latest" tabIndex={0} role="region" aria-label="Latest values">
                <table class="table dense">
                    <thead>
                        <tr>
                            <th scope="col">Time</th>
                            <th scope="col" class="right">Value</th>
                            <th scope="col">Quality</th>
                        </tr>
                    </thead>
                    <tbody>
                        {list.current.slice(0, 20).map((sample, at) => (
                            <tr key={list.current.length - at}>
                                <td class="num" title={isoText(sample.at)}>{timeText(sample.at)}</td>
                                <td class="num right cut">{String(sample.value)}</td>
                                <td class={sample.quality === 2 ? "is-bad" : "quiet"}>{quality[sample.quality]}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
        </section>
    );
}

function Children(props: { node: TreeNode }) {
    const shown = props.node.children.slice(0, 200);
    const paths = useMemo(() => shown.filter((child) => child.hasValue).map((child) => child.path), [shown.length, props.node]);
    useEffect(() => {
        if (paths.length === 0) return;
        const watch = watchPaths(paths, 5);
        return () => watch.close();
    }, [paths]);
    return (
        <section class="card">
            <h3>{numberText(props.node.width, 0)} below</h3>
            <table class="table dense">
                <tbody>
                    {shown.map((child) => {
                        const cell = child.hasValue ? cellOf(child.path) : null;
                        return (
                            <tr key={child.path}>
                                <td class="cut">
                                    <a href={`/uns?path=${encodeURIComponent(child.path).replace(/%2F/g, "/")}`}>{child.name}</a>
                                </td>
                                <td class="num right cut">{cell ? cell.text : ""}</td>
                                <td class="num right quiet child-age">{cell ? cell.age : `${child.width}`}</td>
                            </tr>
                        );
                    })}
                </tbody>
            </table>
        </section>
    );
}

const tabs = [
    { id: "", label: "Live" },
    { id: "history", label: "History" },
    { id: "about", label: "About" },
    { id: "schema", label: "Schema" },
    { id: "lineage", label: "Lineage" },
];

function Live(props: { path: string; node: TreeNode | undefined }) {
    const cell = cellOf(props.path);
    const numeric = typeof cell.sample.value.value === "number";
    const { data } = useLoad(`value:${props.path}`, () => api.unsValue(props.path), 2000);
    return (
        <>
            {props.node?.hasValue && (
                <>
                    <Facts path={props.path} data={data} />
                    <Uses path={props.path} />
                    {numeric && <LiveChart key={props.path} path={props.path} unit={cell.unit.value} />}
                    <Latest path={props.path} />
                </>
            )}
            {props.node && props.node.width > 0 && <Children node={props.node} />}
            {!props.node && (
                <p class="quiet pad">
                    There is no value at this path yet. It appears here with its first publish.
                </p>
            )}
        </>
    );
}

export function Detail(props: { path: string; node: TreeNode | undefined }) {
    const cell = cellOf(props.path);
    const schema = useSchema(props.path);
    const tab = tabs.find((one) => one.id === param("tab")) ?? tabs[0]!;
    useEffect(() => {
        const watch = watchPaths([props.path], 10);
        return () => watch.close();
    }, [props.path]);
    const hasValue = props.node?.hasValue ?? false;
    const value = useLoad(`unit:${props.path}`, () => (hasValue ? api.unsValue(props.path) : Promise.resolve(null)), 5000);
    const unit = value.data ? value.data.unit || unitInSchema(schema.data, props.path) : null;
    useEffect(() => void (unit !== null && (cell.unit.value = unit)), [unit, cell]);
    return (
        <div class="detail">
            <PathTitle path={props.path} hasValue={hasValue} />
            {hasValue && (
                <div class="detail-value">
                    <output class={`big num is-${cell.state.value}`} aria-label="Value" aria-live="off">{cell.text}</output>
                    {cell.unit.value && <span class="big-unit">{cell.unit.value}</span>}
                    <ValueState state={cell.state} />
                    <span class="quiet num">{cell.age}</span>
                </div>
            )}
            <div class="detail-tabs">
                <div class="segments" role="group" aria-label="Show">
                    {tabs.map((one) => (
                        <button key={one.id} aria-pressed={one.id === tab.id} onClick={() => setParams({ tab: one.id || null })}>
                            {one.label}
                        </button>
                    ))}
                </div>
                <SchemaBadge of={schema.data} onOpen={() => setParams({ tab: "schema" })} />
            </div>
            {tab.id === "" && <Live path={props.path} node={props.node} />}
            {tab.id === "history" && <HistoryPanel path={props.path} />}
            {tab.id === "about" && <About path={props.path} />}
            {tab.id === "schema" && <SchemaPanel path={props.path} of={schema.data} error={schema.error} reload={schema.reload} />}
            {tab.id === "lineage" && <LineagePanel path={props.path} />}
        </div>
    );
}
