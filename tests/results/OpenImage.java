import ij.IJ;
import ij.ImagePlus;
import ij.measure.Calibration;

/** Opens an image with ImageJ and prints what it makes of it. */
public class OpenImage {
    public static void main(String[] arguments) {
        ImagePlus image = IJ.openImage(arguments[0]);
        Calibration scale = image.getCalibration();
        System.out.printf("%d %d %d %d %d%n", image.getWidth(), image.getHeight(), image.getNChannels(),
            image.getNSlices(), image.getNFrames());
        System.out.printf(java.util.Locale.ROOT, "%.6f %s %.6f%n", scale.pixelWidth, scale.getUnit(), scale.pixelDepth);
        for (int plane = 1; plane <= image.getStackSize(); plane++) {
            System.out.printf(java.util.Locale.ROOT, "%.0f%n", image.getStack().getProcessor(plane).getStatistics().max);
        }
    }
}
