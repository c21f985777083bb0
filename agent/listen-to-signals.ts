// Listens to every signal that is passed on. A signal that this system does not have is left out.
import { forwardedSignals } from './signals.ts';

export function listenToSignals(onSignal: (signal: NodeJS.Signals) => void): void {
  for (const signal of forwardedSignals) {
    try {
      process.on(signal, onSignal);
    } catch {
      // not a signal here (STKFLT and PWR are Linux's)
    }
  }
}
