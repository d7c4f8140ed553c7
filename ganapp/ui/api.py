"""The calls that other programs make: each has the parameters of a record, and a docstring for the API page."""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from inspect import Parameter, Signature
from types import UnionType
from typing import Any, TypedDict, get_origin, get_type_hints

import gradio as gr

from ganapp.draw import explore
from ganapp.draw.arguments import Raw
from ganapp.draw.cleanup import Cleanup
from ganapp.draw.explore import Explore
from ganapp.draw.mix import Mix, grid
from ganapp.draw.records import Record, default_of
from ganapp.draw.sample import Sample, pictures
from ganapp.draw.walk import Walk, film
from ganapp.serve.library import Library
from ganapp.ui import errors
from ganapp.ui.cleaner import Cleaner
from ganapp.ui.files import File, cached, file_record
from ganapp.ui.work import LANES, bounded

MOST_CLAUSES = 24  # on values that do not go together, in the help of a parameter
LIMIT = (
    2  # drawings at a time; clean-ups have LANES of their own, as they may take minutes, and no drawing waits for them
)


DRAWING = "api"


class CaptionedFile(TypedDict):
    """One sampled image with its caption."""

    image: File
    caption: str


@dataclass(frozen=True)
class Call:
    """A call: what it does in words, the record that its parameters make, and what it answers.

    `answer` gets the record and the values of the parameters in `first` and `last`, which are in no record; these map
    each parameter's name to its type, default and explanation.
    """

    name: str
    does: str
    record: type[Record]
    answers: Any
    answer: Callable[..., Any]
    first: dict[str, tuple[Any, Any, str]] = field(default_factory=dict)
    lane: str = DRAWING
    last: dict[str, tuple[Any, Any, str]] = field(default_factory=dict)

    def parameters(self, library: Library) -> dict[str, tuple[Any, Any, str]]:
        """Type, default and explanation of each parameter, in order."""
        hints = get_type_hints(self.record)
        own = {
            each.name: (
                on_the_wire(hints[each.name]),
                as_sent(default_of(each), hints[each.name]),
                each.metadata["help"],
            )
            for each in fields(self.record)
        }
        if issubclass(self.record, Explore | Sample | Mix | Walk):
            kind, _, text = own["model"]
            own["model"] = (kind, library.default, text)
            if "moves" in own:
                kind, default, text = own["moves"]
                own["moves"] = kind, default, "; ".join([text, *known_directions(library)])
            kind, default, text = own["labels"]
            text = "; ".join([text, *seldom_shown(library), *never_shown(library)])
            own["labels"] = (kind, default, " ".join(text.split()))
        return {**self.first, **own, **self.last}

    def function(self, library: Library) -> Callable[..., Any]:
        """The function that Gradio calls, with the signature and the docstring that it shows."""
        parameters = self.parameters(library)
        outside = self.first.keys() | self.last.keys()

        @errors.over_the_api()
        def call(*values: Raw) -> Any:
            named = dict(zip(parameters, values, strict=True))
            record = self.record.checked(library, **{name: named[name] for name in parameters if name not in outside})
            return self.answer(record, **{name: named[name] for name in outside})

        call.__name__ = self.name
        lines = [f"    {name}: {text}." for name, (_, _, text) in parameters.items()]
        call.__doc__ = "\n".join([self.does, "", "Parameters:", *lines])
        call.__annotations__ = {name: kind for name, (kind, _, _) in parameters.items()} | {"return": self.answers}
        call.__signature__ = Signature(  # type: ignore[attr-defined]
            [
                Parameter(
                    name,
                    Parameter.POSITIONAL_OR_KEYWORD,
                    default=Parameter.empty if default is MISSING else default,
                    annotation=kind,
                )
                for name, (kind, default, _) in parameters.items()
            ],
            return_annotation=self.answers,
        )
        return call


def calls(library: Library, cleaner: Cleaner) -> tuple[Call, ...]:
    """The calls over the models of `library`."""

    def sample(record: Sample) -> list[CaptionedFile]:
        there = bounded(None)
        answer: list[CaptionedFile] = []
        for picture in pictures(library, record):
            there(1)
            answer.append({"image": file_record(cached(picture.data, picture.name)), "caption": picture.caption})
        return answer

    def explored(record: Explore) -> File:
        made = explore.picture(library, record)
        return file_record(cached(made.data, made.name))

    def mix(record: Mix) -> File:
        picture = grid(library, record).picture()
        return file_record(cached(picture.data, picture.name))

    def interpolate(record: Walk) -> File:
        drawn = film(library, record)
        return file_record(cached(drawn.file, drawn.name))

    def cleanup(record: Cleanup, image: Raw, cut_out: Raw) -> File:
        return file_record(cleaner.clean(image, record, cut_out).path)

    return (
        Call(
            "sample",
            "Draw images of consecutive seeds. Answers a list of {image, caption}: PNG files, each with its own record "
            'as JSON in the text chunk "ganapp".',
            Sample,
            list[CaptionedFile],
            sample,
        ),
        Call(
            "explore",
            "Draw one picture of the plane through four seeds, moved along directions of the style space. Answers "
            'one PNG or SVG, with its record as JSON in the text chunk "ganapp" or in the metadata.',
            Explore,
            File,
            explored,
        ),
        Call(
            "mix",
            "Mix styles: a grid with the sources along the top and the destinations down the left. Answers one PNG. "
            "Each cell is its row's destination with some layers of its column's source.",
            Mix,
            File,
            mix,
        ),
        Call(
            "interpolate",
            "Walk from seed to seed and back. Answers one file, a video or an animated image.",
            Walk,
            File,
            interpolate,
        ),
        Call(
            "cleanup",
            "Enlarge a picture, remove its noise and finish it. Answers one PNG of at most 4096 pixels a side, with "
            'the values that make it again as JSON in the text chunk "ganapp", and in it under "source" the record '
            "that the picture came with.",
            Cleanup,
            File,
            cleanup,
            first={"image": (File, MISSING, 'a picture file, `handle_file("cat.png")` in Python')},
            lane="api cleanup",
            last={"cut_out": (File | None, None, "a picture whose transparency the result gets")},
        ),
    )


def build(library: Library, cleaner: Cleaner, demo: gr.Blocks) -> None:
    """Register the calls in `demo`, inside its open context."""
    for call in calls(library, cleaner):
        gr.api(
            call.function(library),
            api_name=call.name,
            concurrency_id=call.lane,
            concurrency_limit=LIMIT if call.lane == DRAWING else LANES,
        )
        # The API page calls a parameter by its label, and Gradio labels them "1st", "2nd" and so on.
        inputs = list(demo.fns.values())[-1].inputs
        for component, (name, (_, _, text)) in zip(inputs, call.parameters(library).items(), strict=True):
            component.label = f"parameter {name}"  # a bare "image" is a word that Gradio would translate
            component._api_info = {**component._api_info, "additional_description": f"{text[0].upper()}{text[1:]}."}


def known_directions(library: Library) -> list[str]:
    """For each model a clause on its directions, if it has any."""
    return [
        f"{name} has {', '.join(direction.name for direction in spec.directions)}"
        for name, spec in library.specs.items()
        if spec.directions
    ]


def seldom_shown(library: Library) -> list[str]:
    """For each attribute of each model a clause on the values that it seldom shows, if there are any."""
    return [
        f"{name} seldom shows {attribute} {', '.join(spec.seldom_shown(attribute))}"
        for name, spec in library.specs.items()
        for attribute in spec.attributes
        if spec.seldom_shown(attribute)
    ]


def never_shown(library: Library) -> list[str]:
    """For each value of each model a clause on those that no training picture has with it, if there are any."""
    found: list[str] = []
    for name, spec in library.specs.items():
        told: set[tuple[str, str]] = set()
        for attribute, values in spec.attributes.items():
            for value in values:
                others = [other for other in spec.never_with({attribute: value}) if other not in told]
                if len(found) == MOST_CLAUSES:
                    return [*found, "and so on"]
                if others:
                    found.append(f"{name} never saw {attribute} {value} with {', '.join(map(' '.join, others))}")
                    told.add((attribute, value))
    return found


def on_the_wire(hint: Any) -> Any:
    """The type of a parameter in JSON: a list of seeds is a list, but what may be a list or a word is text."""
    if get_origin(hint) is dict:
        return hint | None
    if isinstance(hint, UnionType):
        return str
    return list[int] if get_origin(hint) is tuple else hint


def as_sent(default: Any, hint: Any) -> Any:
    """A parameter's default in JSON."""
    if default == {}:
        return None
    if isinstance(default, tuple):
        return list(default)
    return str(default) if isinstance(hint, UnionType) else default
