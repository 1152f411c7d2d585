import ij.IJ;
import ij.ImagePlus;
import ij.measure.Calibration;
import ij.process.ImageProcessor;
import java.util.HashSet;
import java.util.Locale;
import java.util.Set;

/** Opens images with ImageJ and prints what it makes of each: a line of sizes, one of scales, and one a plane. */
public class OpenImage {
    public static void main(String[] arguments) {
        for (String path : arguments) {
            ImagePlus image = IJ.openImage(path);
            Calibration scale = image.getCalibration();
            System.out.printf("%d %d %d %d %d %d bits%n", image.getWidth(), image.getHeight(), image.getNChannels(),
                image.getNSlices(), image.getNFrames(), image.getBitDepth());
            System.out.printf(Locale.ROOT, "%.6f %s %.6f%n", scale.pixelWidth, scale.getUnit(), scale.pixelDepth);
            for (int plane = 1; plane <= image.getStackSize(); plane++) {
                ImageProcessor pixels = image.getStack().getProcessor(plane);
                Set<Float> values = new HashSet<>();
                for (int i = 0; i < pixels.getPixelCount(); i++) {
                    values.add(pixels.getf(i));
                }
                System.out.printf(Locale.ROOT, "%.0f %d%n", pixels.getStatistics().max, values.size());
            }
        }
    }
}
