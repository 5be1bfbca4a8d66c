# SPDX-License-Identifier: MIT
"""A curve of the result as SVG to be put into a page, drawn by gnuplot (5.2 or later)."""

import math
import re
import subprocess

WIDTH, HEIGHT = 560, 370

# gnuplot wants colours. These are names, in effect: the page's style says what they look like, in
# light and in dark (page.css).
INK, GRID = "#010000", "#020000"
COLOURS = {
    "asyncring": "#000001",
    "io_uring": "#000002",
    "libaio": "#000003",
    "sync": "#000004",
    "posix-aio": "#000005",
    "libuv": "#000006",
    "epoll": "#000007",
    "floor": "#000008",
}
OTHER = ["#000011", "#000012", "#000013", "#000014"]
POINTS = {"asyncring": 7, "io_uring": 5, "libaio": 9, "sync": 4, "posix-aio": 11, "libuv": 13,
          "epoll": 8, "floor": 2}


class PlotFailed(Exception):
    """gnuplot is not there, or has refused."""


def quoted(text):
    """A string of gnuplot's."""
    return "'" + text.replace("'", "''").replace("\n", " ") + "'"


def has_rounds(point):
    return len(point["rounds"]) > 1


def data_block(number, series):
    lines = []
    for point in sorted(series["points"], key=lambda point: point["x"]):
        among = point["rounds"] if has_rounds(point) else [point["y"]]
        lines.append(f"{point['x']:.9g} {point['y']:.9g} {min(among):.9g} {max(among):.9g}")
    return "\n".join([f"$series{number} << END", *lines, "END"])


def short(value):
    """As it stands at an axis."""
    for size, prefix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:g}{prefix}"
    return f"{value:g}"


def round_values(low, high):
    """What to mark on a logarithmic axis: powers of ten, and what is between where that is few."""
    steps = (1,) if high / low > 3000 else (1, 2, 5)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    values = [step * 10.0 ** power for power in range(first, last + 1) for step in steps]
    return [value for value in values if low <= value <= high]


def marks(axis, values):
    return f"set {axis}tics (" + ", ".join(f"'{short(v)}' {v:.9g}" for v in values) + ")"


def ticks(axis, label, log, values):
    """Where an axis has few values, as depths are, exactly these are marked."""
    low, high = min(values), max(values)
    lines = [f"set {axis}label {quoted(label)}"]
    if log:
        margin = 1.12 if axis == "x" else 1.25
        low, high = low / margin, high * margin
        lines += [f"set logscale {axis}", f"set {axis}range [{low:.9g}:{high:.9g}]"]
        few = axis == "x" and len(values) <= 9
        lines.append(marks(axis, sorted(values) if few else round_values(low, high)))
    else:
        lines += [f"set {axis}range [0:*]", f"set format {axis} '%.0s %c'"]
    return lines


def script(curve):
    series = [one for one in curve["series"] if one["points"]]
    xs = {point["x"] for one in series for point in one["points"]}
    others = iter(OTHER * len(series))
    lines = [
        f"set terminal svg size {WIDTH},{HEIGHT} dynamic noenhanced font 'sans,14' linewidth 1.4",
        "set encoding utf8",
        f"set border 1 linecolor rgb '{GRID}' linewidth 0.6",
        f"set tics nomirror scale 0 textcolor rgb '{INK}'",
        f"set grid ytics linetype 1 linecolor rgb '{GRID}' linewidth 0.6",
        f"set xlabel textcolor rgb '{INK}'",
        f"set ylabel textcolor rgb '{INK}' offset -0.5",
        f"set key outside top left horizontal Left reverse samplen 1.6 width -1 textcolor rgb '{INK}'",
        "set lmargin 9",
        "set rmargin 2",
    ]
    ys = {y for one in series for point in one["points"] for y in [point["y"], *point["rounds"]]}
    lines += ticks("x", curve["x_label"], curve["x_log"] and min(xs) > 0, xs)
    lines += ticks("y", curve["y_label"], curve["y_log"] and min(ys) > 0, ys)
    plots, again = [], []
    for number, one in enumerate(series):
        colour = COLOURS.get(one["engine"]) or next(others)
        ours = one["engine"] == "asyncring"
        style = (f"linetype 1 linecolor rgb '{colour}' linewidth {2.2 if ours else 1.1} "
                 f"pointtype {POINTS.get(one['engine'], 6)} pointsize {0.62 if ours else 0.5}")
        lines.append(data_block(number, one))
        if any(has_rounds(point) for point in one["points"]):
            plots.append(f"$series{number} using 1:2:3:4 with yerrorbars notitle linetype 1 "
                         f"linecolor rgb '{colour}' linewidth 0.5 pointsize 0")
        plots.append(f"$series{number} using 1:2 with linespoints title "
                     f"{quoted(one['engine'])} {style}")
        # Ours comes first in the legend, but lies over the others.
        if ours:
            again = [f"$series{number} using 1:2 with linespoints notitle {style}"]
    lines += ["set bars 0", "plot " + ", \\\n".join(plots + again)]
    return "\n".join(lines) + "\n"


def run_gnuplot(commands):
    try:
        done = subprocess.run(["gnuplot", "-d", "-"], input=commands, capture_output=True,
                              encoding="utf-8", check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PlotFailed(f"gnuplot: {error}") from error
    if done.returncode or "</svg>" not in done.stdout:
        raise PlotFailed(f"gnuplot: {done.stderr.strip() or 'no SVG'}")
    return done.stdout


def style_name(match):
    """The page's name of a colour that stands in for it."""
    red, green, blue = (int(part) for part in match.groups())
    code = f"#{red:02x}{green:02x}{blue:02x}"
    for engine, colour in COLOURS.items():
        if colour == code:
            return f"var(--{engine})"
    if code in OTHER:
        return f"var(--other-{OTHER.index(code)})"
    return {INK: "var(--text)", GRID: "var(--line)"}.get(code, "var(--quiet)")


def needed(definitions):
    """Without the filters for boxes, which nothing here has."""
    return re.sub(r"\s*<filter.*?</filter>", "", definitions, flags=re.DOTALL)


def svg(curve, description):
    """The element, with a name for who cannot see it."""
    drawn = run_gnuplot(script(curve))
    drawn = drawn[drawn.index("<svg"):drawn.rindex("</svg>") + len("</svg>")]
    prefix = "".join(c if c.isalnum() else "-" for c in curve["name"]) + "-"
    drawn = re.sub(r"<(title|desc)>.*?</\1>\s*", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"\bid=(['\"])", lambda match: f"id={match[1]}{prefix}", drawn)
    drawn = re.sub(r"href=(['\"])#", lambda match: f"href={match[1]}#{prefix}", drawn)
    drawn = re.sub(r"url\(#", f"url(#{prefix}", drawn)
    drawn = re.sub(r"rgb\(\s*(\d+),\s*(\d+),\s*(\d+)\)", style_name, drawn)
    drawn = re.sub(r"\bblack\b", "var(--text)", drawn)
    drawn = re.sub(r"\s*font-family=\"[^\"]*\"", "", drawn)
    drawn = re.sub(r"\sxmlns(:xlink)?=\"[^\"]*\"", "", drawn).replace("xlink:href", "href")
    drawn = re.sub(r"<defs>.*?</defs>", lambda match: needed(match[0]), drawn, flags=re.DOTALL)
    drawn = re.sub(r"<g [^>]*>\s*</g>\s*", "", drawn)
    head = f'<svg role="img" aria-labelledby="{prefix}name" '
    return drawn.replace("<svg", head, 1).replace(
        ">", f'>\n<title id="{prefix}name">{description}</title>', 1)
