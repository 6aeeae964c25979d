"""
Moving and still pictures, composed from ffmpeg's test sources, as raw frames for an encoder.

A scene is a still background, a patch that represents a person, and the camera's noise. In movement slots
the patch moves and turns; in the others it only shifts by one pixel, as by breathing. With the stimulus
"light" nothing moves, but the light goes off and on every second of a slot.
"""

import subprocess
from collections.abc import Iterator, Sequence

import numpy as np

from tools.lib.errors import ToolError

WIDTH, HEIGHT, FPS = 640, 360, 15
PATCHES = {"strong": (180, 140), "weak": (70, 50)}  # width, height in pixels
SPEEDS = {"strong": 14.0, "weak": 5.0}  # pixels per frame
DARK = 0.35  # brightness of the picture when the light is off
NOISE_FRAMES = 16


def picture(source: str, width: int, height: int, second: int = 3) -> np.ndarray:
    """Return one luma frame (height, width) of a source of ffmpeg's lavfi: "testsrc2", "mandelbrot" or "noise"."""
    if source == "noise":
        graph = f"color=gray:s={width}x{height}:r=5,noise=alls=60:allf=t,gblur=sigma=2"
    else:
        graph = f"{source}=size={width}x{height}:rate=5"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", graph, "-ss", str(second), "-frames:v", "1"]
    done = subprocess.run([*command, "-pix_fmt", "gray", "-f", "rawvideo", "-"], capture_output=True, check=False)
    if len(done.stdout) != width * height:
        raise ToolError(f"ffmpeg could not draw {source}: {done.stderr.decode()[-200:]}")
    return np.frombuffer(done.stdout, np.uint8).reshape(height, width).astype(np.float32)


def reactions(slots: Sequence[tuple[int, int, int]], random: np.random.Generator) -> list[tuple[float, float]]:
    """
    Return [(from_s, to_s), ...] of the movement in response to slots [(start_ms, length_ms, is movement), ...].

    People start and stop 0.2-0.8 s after the instruction, 0.45 s on average.
    """
    moves = []
    for start_ms, length_ms, is_movement in slots:
        delays = np.clip(random.normal(0.45, 0.12, 2), 0.2, 0.8)
        if is_movement:
            moves.append((start_ms / 1000 + delays[0], (start_ms + length_ms) / 1000 + delays[1]))
    return moves


def frames(
    background: str,
    patch: str,
    stimulus: str,
    moves: Sequence[tuple[float, float]],
    seconds: int,
    noise: float,
    seed: int,
) -> Iterator[bytes]:
    """
    Yield yuv420p frames.

    background, patch  sources of picture()
    stimulus           "strong", "weak", "light" or "none"
    moves              [(from_s, to_s), ...] of movement
    noise              standard deviation in luma steps
    """
    random = np.random.default_rng(seed)
    still = picture(background, WIDTH, HEIGHT)
    size = PATCHES.get(stimulus, PATCHES["strong"])
    person = picture(patch, *size)
    grain = random.normal(0, noise, (NOISE_FRAMES, HEIGHT, WIDTH)).astype(np.float32)
    chroma = np.full(WIDTH * HEIGHT // 2, 128, np.uint8).tobytes()
    x, y, angle = WIDTH / 2, HEIGHT / 2, random.uniform(0, 6.28)
    for number in range(seconds * FPS):
        t = number / FPS
        moving = any(start <= t < end for start, end in moves)
        light = 1.0
        if stimulus == "light":
            light = DARK if moving and int(t) % 2 == 0 else 1.0
        elif moving and stimulus != "none":
            angle += random.normal(0, 0.5)
            x += SPEEDS[stimulus] * np.cos(angle)
            y += SPEEDS[stimulus] * np.sin(angle)
            if not 0 < x < WIDTH - size[0] or not 0 < y < HEIGHT - size[1]:
                x, y = np.clip(x, 1, WIDTH - size[0] - 1), np.clip(y, 1, HEIGHT - size[1] - 1)
                angle += 2.5
            person = np.roll(person, (int(random.integers(-3, 4)), int(random.integers(-3, 4))), (0, 1))
        left, top = int(x), int(np.clip(y + np.sin(t * 1.9), 0, HEIGHT - size[1]))
        luma = still.copy()
        luma[top : top + size[1], left : left + size[0]] = person
        # A sensor's gain, and with it the noise, rises in the dark.
        drift = np.roll(grain[number % NOISE_FRAMES], int(random.integers(0, WIDTH)), 1)
        luma = luma * light + drift * (1.0 if light == 1.0 else 1.6)
        yield np.clip(luma, 0, 255).astype(np.uint8).tobytes() + chroma
