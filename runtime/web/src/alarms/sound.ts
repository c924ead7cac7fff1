// alarms/sound.ts: a tone while an alarm of critical or high priority stands and nobody has taken it. Off
// until a person switches it on in this browser; silenced, it stays quiet until the next alarm is raised.
import { computed, effect, signal } from "@preact/signals";
import { heard, type Heard } from "./filter";
import { waiting } from "./store";

const KEY = "tutti-alarm-sound";
/** How often (ms), how high (Hz), and how many tones at once. */
const tones: Record<Heard, { every: number; hertz: number; count: number }> = {
    critical: { every: 2000, hertz: 880, count: 3 },
    high: { every: 4000, hertz: 660, count: 1 },
};

export const soundOn = signal(localStorage.getItem(KEY) === "on");
/** true: the browser holds the sound back until somebody clicks or presses a key on this page */
export const soundHeld = signal(false);
const silencedTo = signal(0); // what was raised until then is silent; ms of the server's clock

/** What is heard now; null: silence. */
export const ringing = computed(() => (soundOn.value ? heard(waiting.value, silencedTo.value) : null));

let audio: AudioContext | null = null;

function sound(priority: Heard): void {
    const tone = tones[priority];
    audio ??= new AudioContext();
    soundHeld.value = audio.state !== "running";
    if (soundHeld.value) {
        const context = audio; // goes on by itself when the browser allows it
        void context.resume().then(() => (soundHeld.value = context.state !== "running"));
        return;
    }
    for (let i = 0; i < tone.count; i++) {
        const start = audio.currentTime + i * 0.25;
        const source = new OscillatorNode(audio, { frequency: tone.hertz });
        const level = new GainNode(audio, { gain: 0 });
        level.gain.setTargetAtTime(0.3, start, 0.01); // without a click
        level.gain.setTargetAtTime(0, start + 0.15, 0.01);
        source.connect(level).connect(audio.destination);
        source.start(start);
        source.stop(start + 0.25);
    }
}

/** From a click: browsers allow sound from then on. */
export function setSound(on: boolean): void {
    soundOn.value = on;
    if (on) localStorage.setItem(KEY, "on");
    else localStorage.removeItem(KEY);
    if (on && !ringing.value) sound("high"); // so that one knows what to listen for
}

export const silence = (): void => void (silencedTo.value = Math.max(silencedTo.value, ...waiting.value.map((alarm) => alarm.raised)));

/** For as long as somebody is signed in. */
export function soundStart(): () => void {
    let timer = 0;
    const end = effect(() => {
        const priority = ringing.value;
        clearInterval(timer);
        soundHeld.value = false;
        if (!priority) return;
        sound(priority);
        timer = window.setInterval(() => sound(priority), tones[priority].every);
    });
    return () => {
        end();
        clearInterval(timer);
    };
}
