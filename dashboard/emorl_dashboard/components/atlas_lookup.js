// The response of any weights, from the atlas of one prompt: the same steps as
// engine/atlas/cells.py (lookup) and engine/atlas/explain.py (borders), in the same double
// precision. Pure: knows no page.
//
// An atlas is {branches: [{vectors, children}], cells: [...]}. A branch is a prefix after which
// more than one token can win: `vectors` has one row of logits by objective per token, `children`
// says what follows it: a branch's position, or -1 - c for cell c.

// How far behind a border its other side is looked up, as a fraction of the weights' sum; a
// border that is not crossed even at the farthest is an error of rounding.
const BEYOND = 1e-9;
const FARTHEST_BEYOND = 1e-5;

function dot(one, other) {
  return one.reduce((sum, value, place) => sum + value * other[place], 0);
}

function byTheLargest(weights) {
  const largest = Math.max(...weights);
  return weights.map((weight) => weight / largest);
}

// The choices on the way to a cell: [{branch, winner}, ...]. The first of the largest wins.
function choices(atlas, query) {
  const path = [];
  let position = 0;
  while (position >= 0 && atlas.branches.length) {
    const branch = atlas.branches[position];
    let winner = 0;
    let most = -Infinity;
    branch.vectors.forEach((vector, place) => {
      const score = dot(vector, query);
      if (score > most) [winner, most] = [place, score];
    });
    path.push({ branch, winner });
    position = branch.children[winner];
  }
  return path;
}

function cellAtTheEnd(path) {
  if (!path.length) return 0; // one response covers the whole simplex
  const { branch, winner } = path.at(-1);
  return -1 - branch.children[winner];
}

// Position of the cell of these weights: any scale, none negative, not all zero.
function lookUp(atlas, weights) {
  return cellAtTheEnd(choices(atlas, byTheLargest(weights)));
}

// Where the cell ends when one weight moves and the others stay: where the response changes,
// and in an open cell the farthest that it may stay.
// Returns [{objective, direction: -1 or 1, weight, cell}, ...], weights in the scale asked about;
// none where moving the weight never leaves the cell.
function borders(atlas, weights) {
  const largest = Math.max(...weights);
  const query = byTheLargest(weights);
  const path = choices(atlas, query);
  const own = cellAtTheEnd(path);
  const normals = path.flatMap(({ branch, winner }) =>
    branch.vectors
      .filter((_, place) => place !== winner)
      .map((other) => branch.vectors[winner].map((value, i) => value - other[i])),
  );
  const heights = normals.map((normal) => Math.max(dot(normal, query), 0));
  const found = [];
  query.forEach((_, objective) => {
    for (const direction of [-1, 1]) {
      const border = borderAlong(atlas, query, own, normals, heights, objective, direction);
      if (border) found.push({ objective, direction, ...border, weight: border.weight * largest });
    }
  });
  return found;
}

function borderAlong(atlas, query, own, normals, heights, objective, direction) {
  let step = Infinity;
  normals.forEach((normal, place) => {
    const slope = direction * normal[objective];
    if (slope < 0) step = Math.min(step, heights[place] / -slope);
  });
  if (step === Infinity) return null;
  const sum = query.reduce((total, weight) => total + weight, 0);
  for (let behind = BEYOND; behind <= FARTHEST_BEYOND; behind *= 10) {
    const beyond = [...query];
    beyond[objective] = query[objective] + direction * (step + behind * (sum + step));
    if (beyond[objective] < 0 || !beyond.some((weight) => weight > 0)) return null;
    const cell = lookUp(atlas, beyond);
    if (cell !== own) return { weight: query[objective] + direction * step, cell };
  }
  return null;
}

// Whether two weight vectors are one ensemble: equal up to scale, to 9 digits.
function isSameDirection(one, other) {
  if (one.length !== other.length || !one.some(Boolean) || !other.some(Boolean)) return false;
  const [first, second] = [byTheLargest(one), byTheLargest(other)];
  return first.every((weight, place) => Math.abs(weight - second[place]) < 1e-9);
}
