"""The answer of a stream: the parameters of the runtime's decoder, fitted on people held out of the training.

| module | what it does |
| --- | --- |
| `decoder` | the causal filter over the activities, in NumPy: the reference for the runtime's |
| `changes` | detectors of movements that may change the activity, on raw samples |
| `recordings` | continuous recordings of chosen people, cut into the windows that a live stream would give |
| `streams` | the answers of several networks, each on the people that it never saw, as one set of arrays |
| `score` | what answers are worth: accuracy by person, delay after changes, changes per hour |
| `fit` | the search for parameters, and the estimate of what they are worth to people not fitted on |
| `cascade` | a small network first, and a large one where the belief is unsure |
| `block` | the block `context` of a manifest |
| `page` | the tables |
"""
