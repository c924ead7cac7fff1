// ui/icon.tsx: one icon of the list. Decorative unless a label is given.
import icons from "virtual:icons";

export function Icon(props: { name: string; size?: number; label?: string; class?: string }) {
    const size = props.size ?? 16;
    return (
        <svg
            class={`icon ${props.class ?? ""}`}
            width={size}
            height={size}
            viewBox="0 0 24 24"
            role={props.label ? "img" : undefined}
            aria-label={props.label}
            aria-hidden={props.label ? undefined : "true"}
            dangerouslySetInnerHTML={{ __html: icons[props.name] ?? icons["circle-dot"]! }}
        />
    );
}
