// designer/outline.tsx: the same graph as a list in flow order: what a screen reader, a keyboard and a
// phone use instead of the canvas.
import type { PipelineGraph } from "../core/api";
import { numberText } from "../core/format";
import type { GraphLive } from "../live/graph";
import { Icon } from "../ui/icon";
import { flowOrder, stageName } from "./layout";
import { kindIcon } from "./kinds";
import { wireText } from "./overlay";

export function Outline(props: { graph: PipelineGraph; live: GraphLive; selected: string; onSelect: (id: string) => void }) {
    const { graph, live } = props;
    void live.seq.value;
    const name = (id: string): string => stageName(graph.nodes.find((item) => item.id === id), id);
    return (
        <ol class="outline" aria-label="Stages in flow order">
            {flowOrder(graph).map((node) => {
                const data = live.node(node.id).value;
                const wires = graph.wires.filter((wire) => wire.from === node.id);
                return (
                    <li key={node.id} class={node.id === props.selected ? "is-selected" : ""}>
                        <button class="outline-node" aria-pressed={node.id === props.selected} onClick={() => props.onSelect(node.id)}>
                            <Icon name={kindIcon(node.kind)} size={17} />
                            <b>{node.kind}</b>
                            <span class="cut">{node.label}</span>
                            <span class="num right">{data ? `${numberText(data.in, 0)} in, ${numberText(data.out, 0)} out` : ""}</span>
                        </button>
                        {data && data.errors > 0 && (
                            <p class="outline-error is-bad">
                                <Icon name="triangle-alert" size={13} /> {numberText(data.errors, 0)} errors{data.error ? `: ${data.error}` : ""}
                            </p>
                        )}
                        <ul>
                            {wires.map((wire) => {
                                const now = live.wires[wire.id];
                                const { rate, value } = wireText(now, now ? live.age(now) : null);
                                return (
                                    <li key={wire.id}>
                                        <button class="outline-wire" aria-pressed={wire.id === props.selected} onClick={() => props.onSelect(wire.id)}>
                                            <span class="quiet">{wire.port === "out" ? "" : `${wire.port} `}to {name(wire.to)}</span>
                                            <span class="num">{rate}</span>
                                            <span class="num quiet cut">{value}</span>
                                        </button>
                                    </li>
                                );
                            })}
                        </ul>
                    </li>
                );
            })}
        </ol>
    );
}
