// A Node listener, for bench/frameworks.ts.

const body = 'x'.repeat(Number(process.env.ANSWER_BYTES ?? 100));

export default (request, response) => {
  if (request.method === 'GET') return answer(response, 200);
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () =>
    answer(response, JSON.parse(Buffer.concat(pieces).toString()).text === undefined ? 400 : 200),
  );
};

function answer(response, status) {
  response.writeHead(status, { 'Content-Type': 'text/plain', 'Content-Length': body.length });
  response.end(body);
}
