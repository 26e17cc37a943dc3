// The help text of `flamboyance perceiver`.

export const PERCEIVER = `flamboyance perceiver TASK …: the four tasks of Perceiver IO

Tasks
  classify PICTURE                  the five most probable of ImageNet's classes
  mask-fill TEXT                    fills in masked bytes of a text: [MASK] is
                                    one of them, [MASK:9] nine
  flow PICTURE1 PICTURE2            where each pixel moves, in pixels
  autoencode FRAMES SOUND --out DIR reconstructs a video and its sound; the five
                                    most probable of Kinetics' classes

Pictures are PNG or JPEG files, FRAMES is a folder of them in the order of their
numbers, and SOUND a WAV file of 16 bits at 48,000 Hz: 1,920 samples a frame.
Pictures are prepared as the examples of JOBR0/PerceiverIO_Pytorch prepare them.

Without --model the weights are RANDOM: the result has the right shape and no
meaning.

Options
  --model FILE|FOLDER  weights with the names of JOBR0/PerceiverIO_Pytorch:
                       .pth, .pt, .bin, .safetensors, or a folder with
                       config.json
  --profile NAME       perceiver-io@64947cf (default), deepmind (the activation
                       that DeepMind's weights were trained with), or
                       transformers@5.18.0
  --prep NAME          classify: conv (default), conv1x1 or pixels, the three
                       models of pictures
  --hide TEXT          mask-fill: masks this part of the text, wherever it is
  --out PATH           flow: a PNG file in the colours of Baker et al. (2007);
                       autoencode: a folder for PNG files and a WAV file
  --frames N           autoencode: frames, in groups of 16 (default: 16)
  --chunks N           autoencode: parts in which a group is decoded (default:
                       128)
  --small              a small model that takes seconds: 64×64 pixels for
                       classify, tiles of 128×96 for flow, 256 bytes for
                       mask-fill, groups of 4 frames of 32×32 pixels for
                       autoencode (4 chunks)
  --seed N             the seed of random weights (default: 1)
  --backend NAME       auto (default), simd or reference
  --json               print one document

Exit status
  0 done   2 a file or a backend cannot be used   3 usage

Example
  flamboyance perceiver flow frame1.png frame2.png --small --out flow.png
`;
