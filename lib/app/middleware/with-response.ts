// withResponse(): does something to a response as soon as it is there. What is there already costs no promise.

import type { HttpResponse } from '../http-response.ts';

export function withResponse(
  answer: HttpResponse | Promise<HttpResponse>,
  change: (response: HttpResponse) => void,
): HttpResponse | Promise<HttpResponse> {
  if (answer instanceof Promise) {
    return answer.then((response) => {
      change(response);
      return response;
    });
  }
  change(answer);
  return answer;
}
