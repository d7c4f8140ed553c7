// What is done to the inputs of a call before the server sees them.

// The last input becomes the moment when the call was asked for.
export const stamped = (...inputs) => [...inputs.slice(0, -1), performance.timeOrigin + performance.now()];
