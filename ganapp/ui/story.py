"""What a model was trained on, in one quiet line under its images."""

import html

from ganapp.serve.library import Library

FACTS = ("dataset", "licence", "architecture")


def story(library: Library, name: str) -> str:
    """HTML of the model's training facts, every word of which comes from the file and is escaped."""
    spec = library.spec(name)
    facts = [f"{spec.resolution} px", "with alpha" if spec.channels == 4 else "opaque"]
    facts += [str(spec.training[key]) for key in FACTS if spec.training.get(key)]
    kimg = spec.training.get("kimg")
    if isinstance(kimg, int | float) and not isinstance(kimg, bool):
        facts.append(f"{kimg:,.0f} thousand images seen")
    line = " · ".join(html.escape(fact[:200]) for fact in facts)
    statement = html.escape(str(spec.training.get("statement", ""))[:500])
    return f'<p class="story"><b>{html.escape(spec.name)}</b> {line}<br>{statement}</p>'
