#!/usr/bin/env python3
"""Makes demo.wav beside this script: a plucked chord progression with a pause in the middle.

Strings after K. Karplus and A. Strong, "Digital Synthesis of Plucked-String and Drum Timbres",
Computer Music Journal 7(2), 1983. Standard library only; the same bytes on every machine, as all
arithmetic is on integers and IEEE doubles without transcendental functions.
"""
import array
import pathlib
import sys
import wave

RATE_HZ = 48000
LENGTH_S = 4.0
PAUSE_S = (1.75, 2.75)  # exact zeros, after a fade
FADE_S = 0.15
SEMITONE = 1.0594630943592953

# (when in s, notes as semitones above A2 = 110 Hz): C, G/B, Am; pause; F, C.
CHORDS = [
    (0.00, (3, 10, 15, 19, 22)),
    (0.50, (2, 10, 14, 17, 22)),
    (1.00, (0, 7, 12, 15, 19)),
    (2.75, (-4, 8, 12, 15, 20)),
    (3.20, (3, 10, 15, 19, 24)),
]
STRUM_S = 0.022


def noise(seed):
    """Numbers in -1..1 from a linear congruential generator (Numerical Recipes)."""
    state = seed & 0xFFFFFFFF
    while True:
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        yield state / 2147483648.0 - 1.0


def pluck(frequency_hz, frames, seed):
    """A string, plucked softly at frame 0."""
    period = RATE_HZ / frequency_hz - 0.5  # the averaging below delays by half a frame
    length = int(period)
    fraction = period - length
    source = noise(seed)
    line = [next(source) for _ in range(length + 1)]
    for _ in range(6):  # a soft finger
        line = [(line[i - 1] + line[i]) / 2 for i in range(len(line))]
    mean = sum(line) / len(line)
    line = [value - mean for value in line]
    out, place, previous = [], 0, 0.0
    size = len(line)
    for _ in range(frames):
        value = line[place] * fraction + line[(place + 1) % size] * (1.0 - fraction)
        line[place] = 0.4985 * (value + previous)
        previous = value
        out.append(value)
        place = (place + 1) % size
    return out


def main():
    frames = int(LENGTH_S * RATE_HZ)
    left, right = [0.0] * frames, [0.0] * frames
    for index, (start_s, notes) in enumerate(CHORDS):
        # The next chord damps the strings of this one.
        end_s = min([c[0] for c in CHORDS[index + 1 :]] + [LENGTH_S]) + 0.05
        for string, note in enumerate(notes):
            first = int((start_s + string * STRUM_S) * RATE_HZ)
            count = min(int(end_s * RATE_HZ), frames) - first
            frequency_hz = 110.0
            for _ in range(abs(note)):
                frequency_hz = frequency_hz * SEMITONE if note > 0 else frequency_hz / SEMITONE
            pan = 0.25 + 0.5 * string / (len(notes) - 1)
            damping = int(0.05 * RATE_HZ)
            for i, value in enumerate(pluck(frequency_hz, count, 1000 * index + string + 1)):
                value *= min(1.0, (count - i) / damping)
                left[first + i] += value * (1.0 - pan)
                right[first + i] += value * pan

    def envelope(frame):
        at_s = frame / RATE_HZ
        if PAUSE_S[0] <= at_s < PAUSE_S[1]:
            return 0.0
        if at_s < PAUSE_S[0]:
            return min(1.0, (PAUSE_S[0] - at_s) / FADE_S)
        return min(1.0, (LENGTH_S - at_s) / FADE_S)

    peak = max(max(map(abs, left)), max(map(abs, right)))
    samples = array.array("h")
    for frame in range(frames):
        gain = 16000.0 / peak * envelope(frame)
        samples.append(round(left[frame] * gain))
        samples.append(round(right[frame] * gain))
    if sys.byteorder == "big":
        samples.byteswap()
    with wave.open(str(pathlib.Path(__file__).with_name("demo.wav")), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.tobytes())


if __name__ == "__main__":
    main()
