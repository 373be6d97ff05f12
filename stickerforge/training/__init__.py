"""Training adapters: datasets, methods, the loop, checkpoints, logs.

What happens to a picture of the user, from its folder to the loss:

1. `data.pictures.read_folder` decodes it once to see whether it can be used.
2. `dataset.build_training_set` reads it again, crops it to a bucket (`data.buckets`), decides what
   of it counts (`loss_masks`), gives it a caption with the new word and one without
   (`data.captions`), and encodes it once to the mean and deviation of its latents: a
   `batches.TrainingExample`.
3. `batches.sample_batch` draws latents, noise and a timestep for each example of a step, a function
   of (seed, step) alone.
4. `methods.denoising` lets the model in training and the base model predict the noise, and takes
   the squared error under the mask; `methods.dco` or `methods.plain` makes the loss of it (the
   formula of DCO is in `objectives.dco`), and `trainer` does the step.

`personalize` is the workflow around it: model, class images, training set, training, adapter.
"""
