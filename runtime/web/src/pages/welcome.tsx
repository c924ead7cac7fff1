// pages/welcome.tsx: first run (set the administrator's password) and sign-in. One field at first
// run; there is no default password. A wrong sign-in does not say which part was wrong.
import { useState } from "preact/hooks";
import { LEAST, strength } from "../core/strength";
import { setUp, signIn } from "../core/session";
import { Icon } from "../ui/icon";
import { useTitle } from "../ui/hooks";

const words = [`at least ${LEAST} characters`, "weak", "fair", "good", "strong"];

function Password(props: { value: string; onInput: (value: string) => void; label: string; complete: string; meter?: boolean; focus?: boolean }) {
    const [shown, setShown] = useState(false);
    const level = strength(props.value);
    return (
        <div class="field">
            <label for="password">{props.label}</label>
            <div class="with-button">
                <input
                    id="password"
                    type={shown ? "text" : "password"}
                    autocomplete={props.complete}
                    autofocus={props.focus}
                    required
                    minLength={props.meter ? LEAST : undefined}
                    value={props.value}
                    aria-describedby={props.meter ? "strength" : undefined}
                    onInput={(event) => props.onInput(event.currentTarget.value)}
                />
                <button type="button" class="icon-button" aria-pressed={shown} aria-label="Show the password" onClick={() => setShown(!shown)}>
                    <Icon name={shown ? "eye-off" : "eye"} />
                </button>
            </div>
            {props.meter && (
                <p id="strength" class={`strength level-${level}`} aria-live="polite">
                    <span class="strength-bars" aria-hidden="true"><i /><i /><i /><i /></span>
                    {words[level]}
                </p>
            )}
        </div>
    );
}

function Gate(props: { title: string; lead: string; button: string; submit: () => Promise<void>; children: preact.ComponentChildren }) {
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState("");
    const onSubmit = async (event: SubmitEvent): Promise<void> => {
        event.preventDefault();
        setBusy(true);
        setError("");
        try {
            await props.submit();
        } catch (failure) {
            setError((failure as Error).message);
            setBusy(false);
        }
    };
    return (
        <main class="gate">
            <form class="gate-card" onSubmit={(event) => void onSubmit(event as SubmitEvent)}>
                <svg viewBox="0 0 32 32" width="40" height="40" aria-hidden="true">
                    <rect class="brand-tile" width="32" height="32" rx="7" />
                    <path class="brand-mark" d="M7 10h18M16 10v13M9 16.5v6.5M23 16.5v6.5" />
                </svg>
                <h1>{props.title}</h1>
                <p class="lead">{props.lead}</p>
                {props.children}
                {error && (
                    <p class="form-error" role="alert">
                        <Icon name="triangle-alert" /> {error}
                    </p>
                )}
                <button class="button primary wide" disabled={busy}>
                    {props.button}
                </button>
            </form>
        </main>
    );
}

export function Welcome() {
    useTitle("Welcome");
    const [password, setPassword] = useState("");
    return (
        <Gate
            title="Welcome to Tutti"
            lead="Choose the administrator's password. Until it is set, only this machine can connect."
            button="Set the password and open"
            submit={() => setUp(password)}
        >
            <input type="hidden" name="username" autocomplete="username" value="admin" />
            <Password value={password} onInput={setPassword} label="Password for admin" complete="new-password" meter focus />
        </Gate>
    );
}

export function SignIn() {
    useTitle("Sign in");
    const [name, setName] = useState("");
    const [password, setPassword] = useState("");
    return (
        <Gate title="Sign in" lead="Tutti" button="Sign in" submit={() => signIn(name, password)}>
            <div class="field">
                <label for="name">Name</label>
                <input id="name" autocomplete="username" required autofocus value={name} onInput={(event) => setName(event.currentTarget.value)} />
            </div>
            <Password value={password} onInput={setPassword} label="Password" complete="current-password" />
        </Gate>
    );
}
