// The newest wish wins: at most `most` are under way, those between are never sent, and late answers are dropped.

export const wishes = (draw, show, fail, most = 2) => {
  let next = null;
  let made = 0;
  let shown = 0;
  let open = 0;
  let resting = [];

  const go = async () => {
    if (!next || open >= most) return;
    const wish = next;
    const number = ++made;
    next = null;
    open++;
    try {
      const answer = await draw(wish);
      if (answer && number > shown) {
        shown = number;
        show(answer, wish);
      }
    } catch (error) {
      if (number > shown) fail(error);
    }
    open--;
    go();
    if (!open && !next) resting.splice(0).forEach((done) => done());
  };

  return {
    wish(record) {
      next = record;
      go();
    },
    // Resolves once nothing is under way.
    rest: () => (open || next ? new Promise((done) => resting.push(done)) : Promise.resolve()),
    busy: () => open > 0 || next !== null,
  };
};
