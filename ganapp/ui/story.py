"""What a model was trained on, in one quiet line under its images."""

import html

from ganapp.contract import GeneratorSpec

FACTS = ("dataset", "licence", "architecture")


def story(spec: GeneratorSpec) -> str:
    """HTML of the model's training facts, every word of which comes from the file and is escaped."""
    facts = [f"{spec.resolution} px", "with alpha" if spec.channels == 4 else "opaque"]
    facts += [str(spec.training[key]) for key in FACTS if spec.training.get(key)]
    kimg = spec.training.get("kimg")
    if isinstance(kimg, int | float) and not isinstance(kimg, bool):
        facts.append(f"{kimg:,.0f} thousand images seen")
    line = " · ".join(html.escape(fact[:200]) for fact in facts)
    statement = html.escape(str(spec.training.get("statement", ""))[:500])
    return f'<p class="story"><b>{html.escape(spec.name)}</b> {line}<br>{statement}</p>'
