"""What a model was trained on, in one quiet line under its images."""

import html

from ganapp.contract import GeneratorSpec

FACTS = ("dataset", "licence", "architecture")


def story(spec: GeneratorSpec) -> str:
    """HTML of the model's training facts, every word of which comes from the file and is escaped."""
    facts = [f"{spec.resolution} px", "with alpha" if spec.channels == 4 else "opaque"]
    facts += [_fact(key, str(spec.training[key])) for key in FACTS if spec.training.get(key)]
    facts = [fact for fact in facts if fact != spec.name]  # a model is often named after its dataset
    kimg = spec.training.get("kimg")
    if isinstance(kimg, int | float) and not isinstance(kimg, bool):
        facts.append(f"{kimg:,.0f} thousand images seen")
    line = " · ".join(html.escape(fact[:200]) for fact in facts)
    statement = html.escape(str(spec.training.get("statement", ""))[:500])
    return f'<p class="story"><b>{html.escape(spec.name)}</b> {line}<br>{statement}</p>'


def _fact(key: str, value: str) -> str:
    """The value as the line shows it, without the name of the fact."""
    return "licence unknown" if key == "licence" and value.lower() == "unknown" else value
