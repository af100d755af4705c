// Package fal runs image models on fal, from a typed request to a typed
// result.
//
//	client := &fal.Client{} // the key comes from FAL_KEY
//	out, err := fal.Subscribe(ctx, client, flux.Pro2{Prompt: "a ceramic coffee mug"})
//	if err != nil {
//		return err
//	}
//	err = client.Save(ctx, out.Images[0], "mug.jpg")
//
// # Calls
//
// [Subscribe] queues a request and waits for its result. [Submit] queues it and
// returns a [Job] to follow, wait for or cancel; [Resume] takes up a job of
// which only the id is known. [Run] and [Stream] call a model directly, without
// the queue. A request is any value that implements [Request]: those of
// packages flux and qwen, or a [Call] for other endpoints. [At], [With] and
// [Raw] change where a request goes, what it says and what comes back.
//
// # Money
//
// A request that fal may have accepted is never sent again. If the answer to
// it is lost, the error is a [*OutcomeUnknownError]. Requests are checked on
// this side first: a [*ValidationError] lists every problem and has cost
// nothing.
//
// # Answers
//
// A POST is sent again on proof alone that it was not accepted. Reading is free,
// so it is repeated until an answer says something: for 15 times Retry.MaxWait,
// two minutes if that is not set. "Twice" means twice in a row.
//
//	answer                        POST: Submit, Run, Stream      job's status           job's result
//	what was asked for            done, charged                  done                   done, charged
//	2xx cut off, empty, HTML      OutcomeUnknownError            asked again            asked again
//	2xx without a picture         DecodeError; charged if        -                      twice: DecodeError, likewise
//	                              units are told (Run, Stream)
//	2xx with {"detail": ...}      Error, charged by its units    asked again            twice: Error, likewise
//	                              (Run, Stream)
//	2xx without a request id      OutcomeUnknownError (Submit)   -                      -
//	429                           sent again, up to 4 times      asked again            asked again
//	429 with a long Retry-After   Error at once, not charged     asked again            asked again
//	401 403 404 405 410           Error, not charged             twice: JobError        twice: JobError
//	400 422 499 of fal            Error; not charged by          twice: JobError        twice: Error, charged by
//	                              Submit, by its units by Run                           its units, or unknown
//	408 not of fal                OutcomeUnknownError            asked again            asked again
//	4xx that is HTML              like 404                       asked again            asked again
//	5xx with fal's error_type     Error, not charged             asked again            twice: Error, not charged
//	5xx of any other form         OutcomeUnknownError            asked again            asked again
//	no answer, nothing written    sent again, then NotSent       asked again            asked again
//	no answer                     OutcomeUnknownError            asked again            asked again
//	certificate not trusted       NotSent at once                JobError at once       JobError at once
//
// If the status said that the job failed, the first error about it ends it, and
// fal's own failures (5xx) are not charged. When asking again has taken too
// long, the error is a [*JobError]: the picture may be ready, nothing is given
// back to a budget, and [Resume] takes the job up again.
//
// # Errors
//
// [NotSent], [Charged] and [RequestID] answer for the errors of every package of
// this module. These are all there are; what a server would tell its own caller
// is the last column.
//
//	error                 package        charged?         repeat?                  HTTP status
//	*ValidationError      fal            no               once it is mended        400
//	*TaskError            router         no               once it is mended        400
//	*NoModelError         router         no               with other needs         400
//	*BudgetError          pricing/spend  no               when there is budget     402
//	*UnknownError         pricing        no               with a Budget.Unpriced   501
//	ErrNoKey, NotSent(e)  all            no               yes                      503
//	*Error                fal            its Billing      if its Retryable         its Status, or 502
//	*OutcomeUnknownError  fal            unknown          no: look for the job     502
//	*JobError             fal            unknown, or no   no: Resume               504
//	                                     if Cancelled
//	*DecodeError          fal            yes, if it is    no: its Body has it      502
//	                                     a result
//	ErrFlagged            fal            yes              at its price             422
//	other errors          all            unknown: what    no                       500
//	                                     came after it
//
// Compare an [*Error] with [ErrRateLimited] and its like by errors.Is. Errors of
// fal/dataset about a training set are a [*ValidationError]; those of
// router/studio are the ones listed here, with what was made until then.
package fal
